// The questions of `muxi mcp new`; values given as flags are not asked for.
import type { Readable, Writable } from 'node:stream'
import { resolve } from 'node:path'
import { cancel, intro, isCancel, select, text } from '@clack/prompts'
import {
  credentialFault,
  descriptionFault,
  folderFault,
  nameFault,
  parseTool,
  type ServerProject,
  type ToolSpec,
  type Transport,
} from '../mcp/generator.ts'

/** Values given as flags; the rest is asked for, or has defaults. */
export interface GivenProject extends Partial<ServerProject> {
  dir?: string
}

/** The terminal for interactive questions. */
export interface Terminal {
  input: Readable
  output: Writable
}

/** @throws an error when the user cancels */
export async function askForProject(given: GivenProject, cwd: string, terminal: Terminal): Promise<GivenProject> {
  intro('A new MCP server', { output: terminal.output })
  const name = given.name ?? (await ask('What is it called?', terminal, { check: nameFault, placeholder: 'weather' }))
  const dir =
    given.dir ??
    (await ask('Where is it to be?', terminal, {
      initial: `./${name}`,
      check: (folder) => folderFault(resolve(cwd, folder)),
    }))
  const description =
    given.description ?? (await ask('What is it for, in a line?', terminal, { check: descriptionFault }))
  const transport = given.transport ?? (await askTransport(terminal))
  const tools = given.tools ?? (await askTools(terminal))
  const credentials = given.credentials ?? (await askCredentials(terminal))
  return { name, dir, description, transport, tools, credentials }
}

async function askTransport(terminal: Terminal): Promise<Transport> {
  const options: { value: Transport; label: string }[] = [
    { value: 'both', label: 'both' },
    { value: 'stdio', label: 'standard input and output: clients start it' },
    { value: 'http', label: 'Streamable HTTP: clients connect to it' },
  ]
  return orThrow(await select({ message: 'How is it reached?', options, ...terminal }), terminal)
}

async function askTools(terminal: Terminal): Promise<ToolSpec[]> {
  const tools: ToolSpec[] = []
  for (;;) {
    const line = await ask(tools.length === 0 ? 'A tool of it:' : 'Another tool (empty for none):', terminal, {
      placeholder: 'weather(city: string, days?: integer) Tells the weather of a city',
      check: (given) => toolFault(given, tools),
    })
    if (line === '') return tools
    tools.push(parseTool(line))
  }
}

function toolFault(given: string, before: ToolSpec[]): string | undefined {
  if (given === '' && before.length > 0) return undefined
  try {
    const { name } = parseTool(given)
    return before.some((tool) => tool.name === name) ? `There is a tool '${name}' already` : undefined
  } catch (error) {
    return (error as Error).message
  }
}

async function askCredentials(terminal: Terminal): Promise<string[]> {
  const line = await ask('Variables it cannot do without, such as SERVICE_TOKEN (empty for none):', terminal, {
    check: (given) =>
      wordsOf(given)
        .map(credentialFault)
        .find((fault) => fault !== undefined),
  })
  return [...new Set(wordsOf(line))]
}

function wordsOf(line: string): string[] {
  return line.split(/[\s,]+/).filter(Boolean)
}

interface Asking {
  check: (given: string) => string | undefined
  placeholder?: string
  initial?: string
}

async function ask(message: string, terminal: Terminal, { check, placeholder, initial }: Asking): Promise<string> {
  const answer = await text({
    message,
    ...(placeholder !== undefined && { placeholder }),
    ...(initial !== undefined && { initialValue: initial }),
    validate: (given) => check(given?.trim() ?? ''),
    ...terminal,
  })
  return (orThrow(answer, terminal) ?? '').trim()
}

function orThrow<T>(answer: T, { output }: Terminal): Exclude<T, symbol> {
  if (!isCancel(answer)) return answer as Exclude<T, symbol>
  cancel('Nothing was written.', { output })
  throw new Error('Called off')
}
