// `muxi mcp new`: asks for values not given as flags, and generates the project of an MCP server.
import { isAbsolute, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { parseTool, type ServerProject, type Transport, writeProject } from '../mcp/generator.ts'
import { askForProject, type GivenProject, type Terminal } from './mcp-questions.ts'

const DESCRIPTION = 'An MCP server.'
const TOOL = 'echo(text: string) Says what it is told.'

export const MCP_NEW_HELP = `muxi mcp new [name] [options]: writes the project of an MCP server in TypeScript

In a terminal it asks for what is not given; elsewhere, or with --yes, the defaults are taken.

  name                  of the package and the server: lower-case letters, digits, '-', '_' or '.'
  --dir <folder>        where to write it, empty or not there yet (./<name>)
  --description <text>  one line (${DESCRIPTION})
  --transport <which>   stdio, http or both (both)
  --tool <tool>         may be given several times, each as
                          'weather(city: string, days?: integer, unit: metric|imperial) Tells the weather'
                        types: string, integer, number, boolean, string[], number[], or words with '|' between
                        them; '?' for what may be left out ('${TOOL}')
  --env <NAME>          a variable without which the server does not start, such as a key of a service;
                        may be given several times
  --yes                 asks nothing
  --help`

/** @param cwd the base of relative paths @throws an error that names the missing flags */
export async function newMcpServer(args: string[], cwd: string, terminal: Terminal | undefined): Promise<string> {
  const { values, positionals } = parse(args)
  if (values.help) return MCP_NEW_HELP
  if (positionals.length > 1)
    throw new Error(`Cannot write the project: 'name' must be one word, got '${positionals.join(' ')}'`)
  const given: GivenProject = {
    ...(positionals[0] !== undefined && { name: positionals[0] }),
    ...(values.dir !== undefined && { dir: values.dir }),
    ...(values.description !== undefined && { description: values.description }),
    ...(values.transport !== undefined && { transport: values.transport as Transport }),
    ...(values.tool && { tools: values.tool.map(parseTool) }),
    ...(values.env && { credentials: values.env }),
  }
  const asked = terminal && !values.yes ? await askForProject(given, cwd, terminal) : given
  if (asked.name === undefined) throw new Error(`Cannot write the project: 'name' must be given\n\n${MCP_NEW_HELP}`)
  const project: ServerProject = {
    name: asked.name,
    description: asked.description ?? DESCRIPTION,
    transport: asked.transport ?? 'both',
    tools: asked.tools ?? [parseTool(TOOL)],
    credentials: asked.credentials ?? [],
  }
  const folder = resolve(cwd, asked.dir ?? asked.name)
  const files = writeProject(project, folder)
  return announce(project, folder, files, cwd)
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        dir: { type: 'string' },
        description: { type: 'string' },
        transport: { type: 'string' },
        tool: { type: 'string', multiple: true },
        env: { type: 'string', multiple: true },
        yes: { type: 'boolean', short: 'y' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\n${MCP_NEW_HELP}`, { cause: error })
  }
}

function announce({ name, credentials }: ServerProject, folder: string, files: string[], cwd: string): string {
  const near = relative(cwd, folder)
  const shown = near === '' ? '.' : near.startsWith('..') || isAbsolute(near) ? folder : near
  return [
    `${name}: ${files.length} files in ${shown}`,
    '',
    ...(shown === '.' ? [] : [`  cd ${shown}`]),
    ...(credentials.length > 0 ? ['  cp .env.example .env    # and fill it in'] : []),
    '  npm install',
    '  npm test',
    '  npm start',
  ].join('\n')
}
