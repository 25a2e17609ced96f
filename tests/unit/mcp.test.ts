// What is decided about MCP servers without any: their credentials' ways, names of tools, long lines, answers.
import { describe, expect, test } from 'vitest'
import { readArguments } from '../../contracts/arguments.ts'
import { approvalOf, requiresApproval } from '../../mcp/approval.ts'
import { mcpFaults, withFallbacks } from '../../contracts/mcp-check.ts'
import type { McpServer } from '../../contracts/schemas/mcp-server.ts'
import { boundedFetch } from '../../mcp/bounded-fetch.ts'
import { Lines } from '../../mcp/lines.ts'
import { readAnswer, textOfAnswer } from '../../mcp/result.ts'
import { splitWords, targetOf, withoutSecrets } from '../../mcp/target.ts'
import { isRepeatable, offeredName, offeredTools } from '../../mcp/tools.ts'

const open = { guarded: false }

describe('targetOf()', () => {
  const list = [
    { id: 'a', param_name: 'X-Key' },
    { id: 'b', param_name: 'key', in: 'query' as const },
    { id: 'c', param_name: 'unused' },
  ]
  const secrets = { 'credentials.0.value': 'one', 'credentials.1.value': 't w o' }

  test('maps the credentials of a URL to headers and query', () => {
    const target = targetOf({ name: 's', url: 'https://x.test/mcp?a=1', credentials: list }, secrets, open)
    expect(target).toMatchObject({
      url: 'https://x.test/mcp?a=1&key=t+w+o',
      headers: { 'X-Key': 'one' },
      transport: 'auto',
    })
  })
  test('maps those of a program to its environment', () => {
    const target = targetOf(
      { name: 's', command: 'npx -y "a b"', credentials: {} },
      { 'credentials.TOKEN': 'one', 'env.MODE': 'two' },
      open,
    )
    expect(target).toEqual({
      command: 'npx',
      args: ['-y', 'a b'],
      env: { MODE: 'two', TOKEN: 'one' },
      secrets: ['one', 'two'],
    })
  })
  test('leaves a command alone that has arguments beside it', () =>
    expect(targetOf({ name: 's', command: '/a b/c', args: ['d e'] }, {}, open)).toMatchObject({
      command: '/a b/c',
      args: ['d e'],
    }))
})

test('a credential that cannot be sent where it belongs is a fault, which does not show it', () => {
  const remote = { name: 's', url: 'https://x.example.org' }
  const list = (place: 'header' | 'query') => [{ id: 'a', param_name: 'A', in: place, value: 'a\nX: b' }]
  for (const [server, ...path] of [
    [{ ...remote, credentials: { Authorization: 'a\r\nX: b' } }, 'credentials', 'Authorization'],
    [{ ...remote, credentials: { Authorization: 'Bearer „x“' } }, 'credentials', 'Authorization'],
    [{ ...remote, credentials: list('header') }, 'credentials', 0, 'value'],
    [{ name: 's', command: 'x', credentials: { TOKEN: 'a\0b' } }, 'credentials', 'TOKEN'],
    [{ name: 's', command: 'x', env: { TOKEN: 'a\0b' } }, 'env', 'TOKEN'],
  ] as [McpServer, ...(string | number)[]][]) {
    const faults = mcpFaults([server])
    expect(faults).toMatchObject([{ path: ['mcp_servers', 0, ...path] }])
    expect(faults[0]!.expected).not.toContain('b')
  }
  for (const server of [
    { ...remote, credentials: { Authorization: 'Bearer Zoë\n' } },
    { ...remote, credentials: list('query') },
    { name: 's', command: 'x', credentials: { KEY: '-----BEGIN\n…\n' } },
  ] as McpServer[])
    expect(mcpFaults([server])).toEqual([])
})

describe('a server that comes with muxi', () => {
  const search = { name: 'web', builtin: 'search' as const }
  test('is started on the runtime that runs muxi', () => {
    const target = targetOf(search, { 'credentials.BRAVE_API_KEY': 'one two' }, open)
    expect(target).toMatchObject({ command: process.execPath, env: { BRAVE_API_KEY: 'one two' }, secrets: ['one two'] })
    expect((target as { args: string[] }).args.at(-1)).toMatch(/mcp\/servers\/search\.ts$/)
  })
  test('is kept from private networks where those are closed to the API', () => {
    expect(targetOf(search, {}, { guarded: true })).toMatchObject({ env: { MUXI_GUARDED: 'yes' } })
    expect(mcpFaults([{ ...search, env: { MUXI_GUARDED: 'no' } }])).toHaveLength(1)
  })
  test('takes its own settings and no others, by whichever way they come', () => {
    const list = [{ id: 'key', param_name: 'BRAVE_API_KEY' }]
    expect(mcpFaults([{ ...search, credentials: list, env: { SEARCH_PROVIDER: 'brave' } }])).toEqual([])
    for (const sneaky of [
      { env: { NODE_OPTIONS: '--require /tmp/x' } },
      { credentials: { NODE_OPTIONS: '--require /tmp/x' } },
      { credentials: [{ id: 'key', param_name: 'LD_PRELOAD' }] },
    ]) {
      const [fault] = mcpFaults([{ ...search, ...sneaky }])
      expect(fault).toMatchObject({
        path: ['mcp_servers', 0],
        expected: expect.stringMatching(/^given settings among BRAVE/),
      })
    }
    expect(mcpFaults([{ name: 'c', builtin: 'calculator', env: { A: 'b' } }])).toMatchObject([
      { expected: 'left alone: this server takes no settings' },
    ])
  })
  test('is believed unless the operator says otherwise', () => {
    const trusted = (server: McpServer) => withFallbacks([server], {})[0]?.trust_annotations
    expect(trusted(search)).toBe(true)
    expect(trusted({ ...search, trust_annotations: false })).toBe(false)
    expect(trusted({ name: 's', command: 'x' })).toBeUndefined()
  })
})

test.each([
  [`a  b`, ['a', 'b']],
  [`a "b c" 'd "e'`, ['a', 'b c', 'd "e']],
  [`a\\ b "c\\"d" e''f`, ['a b', 'c"d', 'ef']],
  [`x ""`, ['x', '']],
])('splitWords(%j)', (line, words) => expect(splitWords(line)).toEqual(words))

test('withoutSecrets() takes them out in whatever form they stand, and leaves short words alone', () =>
  expect(withoutSecrets('k"ey+/123 k%22ey%2B%2F123 k\\"ey+/123 abc', ['k"ey+/123', 'abc'])).toBe(
    '[secret] [secret] [secret] abc',
  ))

describe('offeredName()', () => {
  test('is the name of the server and of the tool', () =>
    expect(offeredName('files', 'read_file')).toBe('files__read_file'))
  test.each([
    ['a', 'x.y/z'],
    ['a__b', 'c'],
    ['a', 'b__c'],
    ['server', 'ü'],
    ['long'.repeat(20), 'tool'.repeat(30)],
  ])('is legal for %s and %s', (server, tool) => {
    expect(offeredName(server, tool)).toMatch(/^[a-zA-Z0-9_-]{1,64}$/)
    expect(offeredName(server, tool)).toMatch(/_[0-9a-f]{8}$/)
  })
  test('is not the same for two tools', () =>
    expect(new Set([offeredName('a__b', 'c'), offeredName('a', 'b__c'), offeredName('a_', '_b__c')]).size).toBe(3))
})

test('offeredTools() leaves out a second tool of one name and a schema that is too long', () => {
  const tool = { name: 't', inputSchema: { type: 'object' as const } }
  const huge = { ...tool, name: 'huge', inputSchema: { type: 'object' as const, title: 'x'.repeat(70_000) } }
  expect(
    offeredTools('s', [tool, { ...tool, description: 'again' }, huge]).tools.map(({ tool: name }) => name),
  ).toEqual(['t'])
})

test('a character that no database takes is taken out', () => {
  const tool = { name: 't', description: 'a\0b', inputSchema: { type: 'object' as const } }
  expect(offeredTools('s', [tool, { ...tool, name: 'x\0' }]).tools.map(({ description }) => description)).toEqual([
    'a\uFFFDb',
  ])
  expect(withoutSecrets('a\0b', [])).toBe('a\uFFFDb')
})

describe('isRepeatable()', () => {
  const tool = { tool: 't', annotations: { readOnlyHint: true } }
  test('believes the server only where it is trusted', () => {
    expect(isRepeatable({}, tool)).toBe(false)
    expect(isRepeatable({ trust_annotations: true }, tool)).toBe(true)
    expect(isRepeatable({ trust_annotations: true }, { ...tool, annotations: {} })).toBe(false)
  })
  test('believes the operator', () => expect(isRepeatable({ idempotent_tools: ['t'] }, tool)).toBe(true))
})

describe('Lines', () => {
  const push = (lines: Lines, text: string) => lines.push(Buffer.from(text))
  test('puts lines together from whatever pieces they come in', () => {
    const lines = new Lines(100)
    expect([push(lines, 'a'), push(lines, 'b\nc\n'), push(lines, 'd')]).toEqual([[], ['ab', 'c'], []])
  })
  test('keeps the ends of a line that is too long, and goes on with the next', () => {
    const lines = new Lines(2_000)
    for (let piece = 0; piece < 100; piece += 1)
      expect(push(lines, piece === 0 ? 'head'.padEnd(1_000) : ' '.repeat(1_000))).toEqual([])
    const [long, next] = push(lines, 'tail\nnext\n')
    expect(long).toEqual({ head: expect.stringMatching(/^head/), tail: expect.stringMatching(/tail$/) })
    expect(next).toBe('next')
  })
})

test('readAnswer() tells every part and shows pictures', () => {
  const data = Buffer.from('bytes').toString('base64')
  const answer = readAnswer({
    content: [
      { type: 'text', text: 'words' },
      { type: 'image', data, mimeType: 'image/png' },
      { type: 'audio', data, mimeType: 'audio/wav' },
      { type: 'resource', resource: { uri: 'file:///a', text: 'inside' } },
      { type: 'resource', resource: { uri: 'file:///b', blob: data, mimeType: 'image/jpeg' } },
      { type: 'resource_link', uri: 'file:///c', name: 'c' },
    ],
  })
  expect(textOfAnswer(answer).split('\n\n')).toEqual([
    'words',
    '[image: image/png, 5 bytes]',
    '[audio: audio/wav, 5 bytes, not shown]',
    '[resource: file:///a]\ninside',
    '[resource file:///b: image/jpeg, 5 bytes]',
    '[resource: c, file:///c]',
  ])
  const pictures = answer.parts.filter((part) => typeof part !== 'string')
  expect(pictures.map(({ media_type }) => media_type)).toEqual(['image/png', 'image/jpeg'])
})

describe('boundedFetch()', () => {
  const answering = (body: string, type: string) =>
    boundedFetch(async () => new Response(body, { headers: { 'content-type': type } }), 100)
  const request = { body: JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call' }) }
  test('leaves alone what fits, however many events there are', async () => {
    const events = `data: ${'x'.repeat(80)}\n\n`.repeat(50)
    expect(await (await answering(events, 'text/event-stream')('http://x', request)).text()).toBe(events)
    expect(await (await answering('{}', 'application/json')('http://x', request)).text()).toBe('{}')
  })
  test('answers in the place of what is too long', async () => {
    const error = {
      jsonrpc: '2.0',
      id: 7,
      error: { code: -32_000, message: 'the server sent more than 100 bytes at once' },
    }
    const json = await answering('x'.repeat(101), 'application/json')('http://x', request)
    expect(await json.json()).toEqual(error)
    const stream = await answering(`data: ${'x'.repeat(101)}`, 'text/event-stream')('http://x', request)
    expect(await stream.text()).toContain(JSON.stringify(error))
  })
  test('breaks off a stream that answers nothing in particular', async () => {
    const stream = await answering('x'.repeat(101), 'text/event-stream')('http://x', {})
    await expect(stream.text()).rejects.toThrow('more than 100 bytes')
  })
})

describe('readArguments() with untrusted schemas', () => {
  const tool = (schema: object) => ({ name: 't', parameters: schema as Record<string, unknown> })
  const draft = 'https://json-schema.org/draft/2020-12/schema'
  test('follows draft 2020-12', () => {
    const schema = { $schema: draft, type: 'object', properties: { a: { prefixItems: [{ type: 'string' }] } } }
    expect(readArguments(tool(schema), '{"a":[1]}')).toEqual({
      fault: expect.stringContaining('arguments/a/0 must be string'),
    })
  })
  test('leaves to the server what no validator can follow', () =>
    expect(readArguments(tool({ $ref: 'https://elsewhere.test/schema' }), '{"a":1}')).toEqual({ parameters: { a: 1 } }))
  const ofText = (keywords: object) => tool({ type: 'object', properties: { a: { type: 'string', ...keywords } } })
  test('checks patterns', () => {
    expect(readArguments(ofText({ pattern: '^\\d{2,3}$' }), '{"a":"12"}')).toEqual({ parameters: { a: '12' } })
    expect(readArguments(ofText({ pattern: '^\\d{2,3}$' }), '{"a":"1"}')).toEqual({
      fault: expect.stringContaining('arguments/a must match pattern'),
    })
  })
  test('leaves to the server a pattern that cannot run in linear time', () => {
    const patterns = ['^(?!x)', '(a)\\1', 'a{1000}b{1000}', '(']
    for (const pattern of patterns)
      expect(readArguments(ofText({ pattern }), '{"a":"x"}'), pattern).toEqual({ parameters: { a: 'x' } })
  })
  test.each(['^(a+)+$', '(a|a)*$b', '^(?:[ab]{0,400}[bc]{0,400})*d$', '(a[^]{300}b|x[^]{300}c|a[^]{200}d)$'])(
    'takes little time for the pattern %s, however long the text is',
    (pattern) => {
      const text = JSON.stringify({ a: Array.from({ length: 20 }, () => `${'ax'.repeat(500_000 / 20)}!`) })
      const schema = { type: 'object', properties: { a: { type: 'array', items: { type: 'string', pattern } } } }
      const before = process.threadCpuUsage()
      readArguments(tool(schema), text)
      const { user, system } = process.threadCpuUsage(before)
      expect((user + system) / 1_000).toBeLessThan(500)
    },
  )
  test('tells twenty faults at most, each short', () => {
    const schema = { type: 'object', additionalProperties: { type: 'string' } }
    const value = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`${'k'.repeat(200)}${index}`, 1]))
    const { fault = '' } = readArguments(tool(schema), JSON.stringify(value)) as { fault?: string }
    expect(fault.split(' must be string')).toHaveLength(21)
    expect(fault.length).toBeLessThan(4_000)
  })
  test('finds equal items, whatever the order of their keys', () => {
    const schema = { type: 'object', properties: { a: { uniqueItems: true } } }
    expect(readArguments(tool(schema), '{"a":[{"x":1,"y":2},{"y":2,"x":1}]}')).toHaveProperty('fault')
    const items = Array.from({ length: 4_000 }, (_, index) => ({ index }))
    expect(readArguments(tool(schema), JSON.stringify({ a: items }))).toEqual({ parameters: { a: items } })
  })
  test('takes two schemas of one id', () => {
    const one = { $id: 'same', type: 'object', required: ['a'] }
    const two = { $id: 'same', type: 'object', required: ['b'] }
    expect(readArguments(tool(one), '{"a":1}')).toEqual({ parameters: { a: 1 } })
    expect(readArguments(tool(two), '{"a":1}')).toEqual({ fault: expect.stringContaining("'b'") })
  })
})

describe('requiresApproval()', () => {
  const tool = (annotations: Record<string, unknown> = {}, more: object = {}) => ({
    tool: 'delete_file',
    annotations,
    hash: 'h',
    approved_hash: 'h',
    ...more,
  })
  test('asks before every tool that is not declared harmless', () => {
    expect(requiresApproval({}, tool())).toBe(true)
    expect(requiresApproval({}, tool({ readOnlyHint: true }))).toBe(true)
    expect(requiresApproval({ read_only_tools: ['delete_file'] }, tool())).toBe(false)
  })
  test('believes a trusted server, as long as the tool is what it was', () => {
    const trusted = { trust_annotations: true }
    expect(requiresApproval(trusted, tool())).toBe(true)
    expect(requiresApproval(trusted, tool({ readOnlyHint: true }))).toBe(false)
    expect(requiresApproval(trusted, tool({ destructiveHint: false }))).toBe(false)
    expect(requiresApproval(trusted, tool({ readOnlyHint: true, destructiveHint: true }))).toBe(false)
    expect(requiresApproval(trusted, tool({ readOnlyHint: true }, { hash: 'changed' }))).toBe(true)
    const ours = { ...trusted, builtin: 'calculator' }
    expect(requiresApproval(ours, tool({ readOnlyHint: true }, { hash: 'changed' }))).toBe(false)
  })
  test('never and always are what they say', () => {
    expect(requiresApproval({ approval: 'never' }, tool())).toBe(false)
    expect(requiresApproval({ approval: 'always', trust_annotations: true }, tool({ readOnlyHint: true }))).toBe(true)
  })
})

describe('approvalOf()', () => {
  test('takes the pattern that says most of the name, whatever the order', () => {
    const tools = { '*': 'always', 'read_*': 'never', 'read_secret_*': 'always', 'write_?': 'never' } as const
    const of = (tool: string) => approvalOf({ approval: { tools } }, tool)
    expect(['x', 'read_me', 'read_secret_x', 'write_a', 'write_ab'].map(of)).toEqual([
      'always',
      'never',
      'always',
      'never',
      'always',
    ])
  })
  test('takes the stricter one of two that say as much', () => {
    expect(approvalOf({ approval: { tools: { 'a*': 'never', '*a': 'always' } } }, 'aa')).toBe('always')
    expect(approvalOf({ approval: { tools: { '*a': 'always', 'a*': 'never' } } }, 'aa')).toBe('always')
  })
  test('falls back to the default, and that to destructive; a dot is a dot', () => {
    expect(approvalOf({ approval: { default: 'never', tools: { 'a.b': 'always' } } }, 'axb')).toBe('never')
    expect(approvalOf({ approval: {} }, 'a')).toBe('destructive')
    expect(approvalOf({}, 'a')).toBe('destructive')
  })
})
