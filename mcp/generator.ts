// Writes the project of a new MCP server from template/, whose files are valid as they are: type-checked, tested, and
// changed only in marked places.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const TEMPLATE = fileURLToPath(new URL('./template/', import.meta.url))
const NAME_IN_TEMPLATE = 'template-server'

export const TRANSPORTS = ['stdio', 'http', 'both'] as const
export type Transport = (typeof TRANSPORTS)[number]

export interface ServerProject {
  name: string
  description: string
  transport: Transport
  tools: ToolSpec[]
  /** Names of environment variables without which it does not start. */
  credentials: string[]
}

export interface ToolSpec {
  name: string
  description: string
  arguments: ArgumentSpec[]
}

export interface ArgumentSpec {
  name: string
  /** A key of `TYPES`, or the values of a choice. */
  type: keyof typeof TYPES | readonly string[]
  optional: boolean
}

/** The types of arguments, with their schema and a valid value. */
const TYPES = {
  string: { schema: 'z.string().max(10_000)', sample: "'text'" },
  integer: { schema: 'z.int()', sample: '1' },
  number: { schema: 'z.number()', sample: '1.5' },
  boolean: { schema: 'z.boolean()', sample: 'true' },
  'string[]': { schema: 'z.array(z.string().max(10_000)).max(100)', sample: "['text']" },
  'number[]': { schema: 'z.array(z.number()).max(100)', sample: '[1.5]' },
} as const

const TOOL_FORM =
  "a form such as 'weather(city: string, days?: integer, unit: metric|imperial) Tells the weather of a city'"
const TYPE_WORDS = `${Object.keys(TYPES).join(', ')}, or words with '|' between them`
/** Names that would shadow variables of the server itself, or of every program. */
const RESERVED_VARIABLES = ['HOST', 'PORT', 'MCP_TOKEN', 'MCP_HOSTS', 'PATH', 'HOME', 'NODE_OPTIONS']
/** Tool names that would clash with other files of tools/, on any system. */
const RESERVED_TOOLS = ['index', 'con', 'nul', 'aux', 'prn']

/** @returns the fault of a project name; undefined when it is valid */
export function nameFault(name: string): string | undefined {
  if (/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name) && !['node_modules', NAME_IN_TEMPLATE].includes(name)) return undefined
  return fault('name', "1 to 64 lower-case letters, digits, '-', '_' or '.', beginning with a letter or a digit", name)
}

export function transportFault(transport: string): string | undefined {
  return (TRANSPORTS as readonly string[]).includes(transport)
    ? undefined
    : fault('transport', TRANSPORTS.join(', '), transport)
}

export function descriptionFault(description: string): string | undefined {
  return isLine(description) ? undefined : fault('description', 'one line of 1 to 500 characters', description)
}

export function credentialFault(name: string): string | undefined {
  return /^[A-Z][A-Z0-9_]{0,63}$/.test(name) && !RESERVED_VARIABLES.includes(name)
    ? undefined
    : fault('env', "a name of upper-case letters, digits and '_' that the server does not use itself", name)
}

/** @returns the fault of the target folder; undefined when it is valid */
export function folderFault(folder: string): string | undefined {
  if (!existsSync(folder)) return undefined
  let entries: number
  try {
    entries = readdirSync(folder).length
  } catch {
    return fault('dir', 'a folder', folder)
  }
  return entries === 0
    ? undefined
    : fault('dir', 'empty, or not there yet', `'${folder}' with ${entries} entries in it`, false)
}

/** Parses a tool from the command line. @throws an error that names the fault */
export function parseTool(text: string): ToolSpec {
  const [, name = '', given, description = ''] = /^\s*([^\s(]+)\s*(?:\(([^)]*)\))?\s*(.*?)\s*$/.exec(text) ?? []
  if (!isLine(text) || name === '') throw new Error(fault('tool', TOOL_FORM, text))
  if (!/^[a-z][a-z0-9_-]{0,63}$/.test(name) || RESERVED_TOOLS.includes(name))
    throw new Error(
      fault('tool', "named with 1 to 64 lower-case letters, digits, '_' or '-', beginning with a letter", name),
    )
  if (description === '') throw new Error(fault('tool', `described after its arguments, in ${TOOL_FORM}`, text))
  const list =
    given === undefined || given.trim() === '' ? [] : given.split(',').map((each) => parseArgument(name, each))
  const twice = list.find((argument, at) => list.findIndex((other) => other.name === argument.name) !== at)
  if (twice) throw new Error(fault('tool', `without two arguments '${twice.name}'`, text))
  return { name, description, arguments: list }
}

function parseArgument(tool: string, text: string): ArgumentSpec {
  const [, name, mark, type = ''] = /^\s*([a-z][A-Za-z0-9_]{0,63})(\?)?\s*:\s*(.+?)\s*$/.exec(text) ?? []
  if (name === undefined)
    throw new Error(fault(`tool ${tool}`, "given arguments such as 'city: string' or 'days?: integer'", text.trim()))
  const words = type.split('|').map((word) => word.trim())
  const isChoice = words.length > 1 && words.every((word) => /^[A-Za-z0-9_-]{1,64}$/.test(word))
  if (!isChoice && !Object.hasOwn(TYPES, type))
    throw new Error(fault(`tool ${tool}`, `given types out of ${TYPE_WORDS}`, type))
  return { name, type: isChoice ? words : (type as keyof typeof TYPES), optional: mark !== undefined }
}

/** Every fault of a project, each a sentence. */
export function projectFaults(project: ServerProject): string[] {
  const names = project.tools.map(({ name }) => name)
  const twice = [...new Set(names.filter((name, at) => names.indexOf(name) !== at))]
  return [
    nameFault(project.name),
    descriptionFault(project.description),
    transportFault(project.transport),
    ...project.credentials.map(credentialFault),
    project.tools.length === 0 ? fault('tool', 'given at least once', 'none', false) : undefined,
    ...twice.map((name) => fault('tool', 'given once under a name', name)),
  ].filter((each) => each !== undefined)
}

/** Writes the project atomically. @returns the files, relative to the folder @throws an error with every fault */
export function writeProject(project: ServerProject, folder: string): string[] {
  const target = resolve(folder)
  const faults = [...projectFaults(project), ...[folderFault(target) ?? []].flat()]
  if (faults.length > 0) throw new Error(faults.join('\n'))
  mkdirSync(dirname(target), { recursive: true })
  const draft = mkdtempSync(join(dirname(target), `.${basename(target)}-`))
  try {
    const files = filesOf(project)
    for (const [file, text] of files) {
      mkdirSync(dirname(join(draft, file)), { recursive: true })
      writeFileSync(join(draft, file), text)
    }
    chmodSync(draft, 0o755)
    // Fails when the folder is no longer empty.
    renameSync(draft, target)
    return files.map(([file]) => file)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    throw error
  }
}

function filesOf(project: ServerProject): [file: string, text: string][] {
  const { transport, credentials, tools } = project
  const files = listFiles('').flatMap((file): [string, string][] => {
    const main = /^src\/main\.(\w+)\.ts$/.exec(file)?.[1]
    if (main !== undefined) return main === transport ? [['src/main.ts', read(file)]] : []
    if (transport === 'stdio' && /\/http\./.test(file)) return []
    if (transport === 'http' && /\/stdio\./.test(file)) return []
    if (file === 'src/tools/echo.ts')
      return tools.map((tool) => [`src/tools/${tool.name}.ts`, toolFile(read(file), tool)])
    return [[file, changed(file, read(file), project)]]
  })
  if (credentials.length > 0) files.push(['.env.example', `${credentials.map((name) => `${name}=`).join('\n')}\n`])
  return files.map(([file, text]) => [file, text.replaceAll(NAME_IN_TEMPLATE, project.name)])
}

/** A file of the template with the project's values. */
function changed(file: string, text: string, project: ServerProject): string {
  switch (file) {
    case 'package.json': {
      // The description is user text: inserted as JSON by a function, so that `$` has no special meaning.
      return text.replace(/"An MCP server\."/, () => JSON.stringify(project.description))
    }
    case 'README.md':
      return readme(text, project)
    case 'src/config.ts':
      return fill(
        text,
        'credentials',
        project.credentials.map((name) => `${quoted(name)},`),
      )
    case 'src/tools/index.ts': {
      const imports = project.tools.map(({ name }) => `import { ${variableOf(name)} } from './${name}.ts'`)
      const names = project.tools.map(({ name }) => `${variableOf(name)},`)
      return fill(fill(text, 'imports', imports), 'tools', names)
    }
    default:
      return text
  }
}

function toolFile(text: string, tool: ToolSpec): string {
  const samples = tool.arguments.map(
    ({ name, type }) => `${name}: ${isWords(type) ? quoted(type[0]!) : TYPES[type].sample},`,
  )
  const inputs = tool.arguments.map(({ name, type, optional }) => {
    const schema = isWords(type) ? `z.enum([${type.map(quoted).join(', ')}])` : TYPES[type].schema
    return `${name}: ${schema}${optional ? '.optional()' : ''}.describe(${quoted(inWords(name))}),`
  })
  return (
    fill(fill(text, 'sample', samples), 'input', inputs)
      .replace("'Says what it is told.'", () => quoted(tool.description))
      .replaceAll('echoTool', variableOf(tool.name))
      .replaceAll(/'echo'|`echo`/g, (found) => found.replace('echo', tool.name))
      // A tool without arguments does not use it.
      .replace("import * as z from 'zod'\n", (line) => (inputs.length > 0 ? line : ''))
      .replaceAll(/\{\s+\},$/gm, '{},')
  )
}

function readme(text: string, { description, transport, credentials }: ServerProject): string {
  const shown = { stdio: transport !== 'http', http: transport === 'http', both: transport === 'both' }
  const sections = { ...shown, web: transport !== 'stdio', credentials: credentials.length > 0 }
  let kept = text.replace('An MCP server.', () => description)
  for (const [name, isKept] of Object.entries(sections))
    kept = kept.replace(new RegExp(`<!-- ${name} -->\\n([^]*?)<!-- /${name} -->\\n`), (_, inner: string) =>
      isKept ? inner : '',
    )
  return kept.replace('<!-- names -->\n', () => credentials.map((name) => `- \`${name}\`\n`).join(''))
}

/** Replaces the lines between two markers, and the markers. */
function fill(text: string, mark: string, lines: string[]): string {
  const place = new RegExp(`^( *)// <${mark}>\\n[^]*?^ *// </${mark}>\\n`, 'm')
  if (!place.test(text)) throw new Error(`Cannot write the project: the template has no place for '${mark}'`)
  return text.replace(place, (_, indent: string) => lines.map((line) => `${indent}${line}\n`).join(''))
}

function listFiles(folder: string): string[] {
  return readdirSync(join(TEMPLATE, folder), { withFileTypes: true })
    .filter(({ name }) => !['node_modules', 'dist'].includes(name))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      return entry.isDirectory() ? listFiles(path) : [path]
    })
}

function read(file: string): string {
  return readFileSync(join(TEMPLATE, file), 'utf8')
}

/** `fetch-page` is `fetchPageTool`. */
function variableOf(tool: string): string {
  return `${tool.replaceAll(/[_-]+([a-z0-9]?)/g, (_, letter: string) => letter.toUpperCase())}Tool`
}

/** `postalCode` and `postal_code` are `postal code`. */
function inWords(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])|_/g, '$1 $2')
    .replaceAll(/ +/g, ' ')
    .toLowerCase()
}

function isWords(type: ArgumentSpec['type']): type is readonly string[] {
  return typeof type !== 'string'
}

function isLine(text: string): boolean {
  return text.trim() !== '' && text.length <= 500 && !/\p{Cc}/u.test(text)
}

/** A string of TypeScript. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

function fault(option: string, expected: string, got: string, quote = true): string {
  const shown = got.length > 100 ? `${got.slice(0, 100)}…` : got
  return `Cannot write the project: '${option}' must be ${expected}, got ${quote ? `'${shown}'` : shown}`
}
