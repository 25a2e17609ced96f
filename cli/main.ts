// The command line `muxi` and its subcommands.
import { loadSettings } from '../config/settings.ts'
import { makeFilesPrivate } from './private-files.ts'

interface Command {
  summary: string
  /** Whether it parses the arguments after its name. */
  takesArguments?: true
  run: (args: string[]) => Promise<void>
}

const COMMANDS: Record<string, Command> = {
  serve: { summary: 'runs everything, or what MUXI_ROLE says; so does muxi alone', run: () => serve({}) },
  api: { summary: 'runs the API and the web page', run: () => serve({ MUXI_ROLE: 'api' }) },
  worker: { summary: 'runs a worker', run: () => serve({ MUXI_ROLE: 'worker' }) },
  key: { summary: 'makes an API key with all scopes, and shows it once', run: key },
  'secrets forget': {
    summary: 'removes stored credentials that MUXI_SECRET_KEY cannot read any more',
    run: secretsForget,
  },
  'mcp calculator': {
    summary: 'is an MCP server that calculates, on standard input and output; --help tells more',
    takesArguments: true,
    run: (args) => serveMcp('calculator', args),
  },
  'mcp search': {
    summary: 'is an MCP server that searches the web and reads pages; --help tells more',
    takesArguments: true,
    run: (args) => serveMcp('search', args),
  },
  'mcp new': {
    summary: 'writes the project of an MCP server in TypeScript; --help tells more',
    takesArguments: true,
    run: mcpNew,
  },
  help: {
    summary: 'lists the commands; so does --help',
    run: async () => console.log(help()),
  },
}

async function serve(role: { MUXI_ROLE?: string }): Promise<void> {
  const settings = loadSettings({ ...process.env, ...role })
  const { supervise } = await import('./supervisor.ts')
  await supervise({ settings, env: process.env })
}

async function key(): Promise<void> {
  makeFilesPrivate()
  const { createKey } = await import('./key.ts')
  console.log(await createKey(loadSettings(process.env)))
}

async function secretsForget(): Promise<void> {
  makeFilesPrivate()
  const { forgetSecrets } = await import('./secrets.ts')
  console.log(await forgetSecrets(loadSettings(process.env)))
}

async function serveMcp(name: string, args: string[]): Promise<void> {
  const { serveMcp: start } = await import('./mcp.ts')
  await start([name, ...args])
}

async function mcpNew(args: string[]): Promise<void> {
  const { newMcpServer } = await import('./mcp-new.ts')
  const { stdin: input, stdout: output } = process
  console.log(await newMcpServer(args, process.cwd(), input.isTTY && output.isTTY ? { input, output } : undefined))
}

function help(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length))
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`)
  return `muxi <command>: agents that people can leave alone\n\n${lines.join('\n')}\n\nSettings come from the environment and from .env: docs/operations.md.`
}

/** Finds the command, and the arguments after its name; `mcp new` is two words. */
function find(args: string[]): { command: Command; rest: string[] } {
  const named = args.length === 0 ? ['serve'] : ['--help', '-h'].includes(args[0]!) ? ['help'] : args
  for (const words of [2, 1]) {
    const command = COMMANDS[named.slice(0, words).join(' ')]
    const rest = named.slice(words)
    if (!command || named.length < words) continue
    if (rest.length === 0 || command.takesArguments) return { command, rest }
    if (rest.length === 1 && ['--help', '-h'].includes(rest[0]!)) return { command: COMMANDS['help']!, rest: [] }
  }
  const known = Object.keys(COMMANDS).join(', ')
  throw new Error(`Cannot run '${args.join(' ')}': the command must be one of ${known}`)
}

try {
  const { command, rest } = find(process.argv.slice(2))
  await command.run(rest)
  process.exit(0)
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
}
