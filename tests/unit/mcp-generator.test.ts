// What the generator of MCP servers makes of words, and that its template pins what we have tested.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseTool, projectFaults, type ServerProject } from '../../mcp/generator.ts'

const project: ServerProject = {
  name: 'fine',
  description: 'Is fine.',
  transport: 'both',
  tools: [parseTool('ping Says pong')],
  credentials: [],
}

interface Manifest {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}

function manifest(path: string): Manifest {
  return JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')) as Manifest
}

it('the template pins the versions that we use ourselves', () => {
  const ours = manifest('package.json')
  const template = manifest('mcp/template/package.json')
  for (const kind of ['dependencies', 'devDependencies'] as const) {
    expect(template[kind]).not.toEqual({})
    for (const [name, version] of Object.entries(template[kind]))
      expect(`${name} ${version}`).toBe(`${name} ${ours.dependencies[name] ?? ours.devDependencies[name]}`)
  }
})

it('a tool is read from a line', () => {
  expect(
    parseTool(' weather ( city: string,days?:integer , unit: metric | imperial ) Tells the weather (now) '),
  ).toEqual({
    name: 'weather',
    description: 'Tells the weather (now)',
    arguments: [
      { name: 'city', type: 'string', optional: false },
      { name: 'days', type: 'integer', optional: true },
      { name: 'unit', type: ['metric', 'imperial'], optional: false },
    ],
  })
  expect(parseTool('ping() Says pong')).toEqual({ name: 'ping', description: 'Says pong', arguments: [] })
})

describe('a tool is refused', () => {
  it.each([
    ['', /must be a form such as/],
    ['two\nlines', /must be a form such as/],
    ['Weather Tells', /must be named with 1 to 64 lower-case letters.*got 'Weather'/],
    ['../weather Tells', /must be named/],
    ['index Tells', /must be named/],
    ['weather(city: string)', /must be described/],
    ['weather(city) Tells', /'tool weather' must be given arguments such as/],
    ['weather(city: text) Tells', /'tool weather' must be given types out of string, integer/],
    ['weather(City: string) Tells', /must be given arguments such as/],
    ['weather(__proto__: string) Tells', /must be given arguments such as/],
    ['weather(city: constructor) Tells', /must be given types/],
    ["weather(unit: a|b'c) Tells", /must be given types/],
    ['weather(city: string, city: string) Tells', /without two arguments 'city'/],
  ])('%j', (text, fault) => {
    expect(() => parseTool(text)).toThrow(fault)
  })
})

it('every fault of a project is told at once', () => {
  expect(projectFaults(project)).toEqual([])
  const wrong: ServerProject = {
    name: 'node_modules',
    description: 'two\nlines',
    transport: 'carrier pigeon' as ServerProject['transport'],
    tools: [...project.tools, ...project.tools],
    credentials: ['PATH', 'lower', 'SERVICE_KEY'],
  }
  expect(projectFaults(wrong).map((fault) => /'(\w+)' must be/.exec(fault)?.[1])).toEqual([
    'name',
    'description',
    'transport',
    'env',
    'env',
    'tool',
  ])
  expect(projectFaults({ ...project, tools: [] })).toEqual([
    "Cannot write the project: 'tool' must be given at least once, got none",
  ])
})
