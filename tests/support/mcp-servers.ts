// The MCP servers of tests: those that others wrote, and where their programs are.
import { createRequire } from 'node:module'
import { ROOT } from './children.ts'

const require = createRequire(import.meta.url)

/** The Node that tests run on; MCP servers are programs like any other. */
export const NODE = `${ROOT}node_modules/node/bin/node`

function program(name: string): string {
  return require.resolve(`@modelcontextprotocol/${name}/dist/index.js`)
}

/** Of the MCP project, over stdio. */
export const EVERYTHING = program('server-everything')
export const FILESYSTEM = program('server-filesystem')
export const MEMORY = program('server-memory')
/** Ours, with faults: `tests/support/fault-mcp-server.ts <fault>`. */
export const FAULTY = `${ROOT}tests/support/fault-mcp-server.ts`
/** Ours, cheap enough to be started by the hundred: `sh tests/support/tiny-mcp-server.sh <file>`. Its tool `note` appends to the file. */
export const TINY = `${ROOT}tests/support/tiny-mcp-server.sh`
