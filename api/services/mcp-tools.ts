// Agents as the tools of an MCP server: each under its id, with its description.
import { setTimeout as delay } from 'node:timers/promises'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { ErrorCode, ListToolsRequestSchema, McpError, type Tool } from '@modelcontextprotocol/sdk/types.js'
import {
  AgentToolInputForAnyUserSchema,
  AgentToolInputSchema,
  AgentToolOutputSchema,
} from '../../contracts/schemas/agent-tool.ts'
import { listAgents, readAgentsStamp, type AgentRow } from '../../db/queries/agents.ts'
import type { Principal } from '../../db/queries/keys.ts'
import type { Db } from '../../db/schema.ts'
import { toMuxiError } from '../errors.ts'
import type { ApiContext } from './context.ts'

const TOOLS_A_PAGE = 100
/** What the cursors of the list begin with. */
const CURSOR = 'after:'
/** Poll interval for changes of agents, in milliseconds. */
const LOOK_MS = 3_000

const INSTRUCTIONS =
  'Each tool is an agent: say something to it in `content` and read its `reply`. Give its `conversation_id` to go on with a conversation. ' +
  'A call is a durable turn, which goes on when the connection breaks and can be read under its `turn_id`.'

/** An MCP server for one request that is not a call: initialization and tool list. */
export function createMcpServer(context: ApiContext, principal: Principal, version: string): Server {
  const server = new Server(
    { name: 'muxi', title: 'muxi', version },
    { capabilities: { tools: { listChanged: true } }, instructions: INSTRUCTIONS },
  )
  server.setRequestHandler(ListToolsRequestSchema, async ({ params }) => {
    const after = readCursor(params?.cursor)
    try {
      const agents = await listAgents(context.storage.db, TOOLS_A_PAGE + 1, after)
      const shown = agents.slice(0, TOOLS_A_PAGE)
      return {
        tools: shown.map((agent) => toTool(agent, principal)),
        ...(agents.length > TOOLS_A_PAGE && { nextCursor: cursorOf(shown.at(-1)!) }),
      }
    } catch (error) {
      throw new McpError(ErrorCode.InternalError, toMuxiError(error, context.log).message)
    }
  })
  return server
}

/** Unlike an id, it cannot be taken for what another server has given. */
function cursorOf({ id }: Pick<AgentRow, 'id'>): string {
  return Buffer.from(`${CURSOR}${id}`).toString('base64url')
}

/** @throws McpError when it is none of this list */
function readCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined
  const text = Buffer.from(cursor, 'base64url').toString()
  if (text.startsWith(CURSOR)) return text.slice(CURSOR.length)
  throw new McpError(ErrorCode.InvalidParams, "Cannot list the tools: 'cursor' must be `nextCursor` of the page before")
}

function toTool(agent: AgentRow, principal: Principal): Tool {
  return {
    name: agent.id,
    description: agent.description,
    inputSchema: inputSchemaFor(principal) as Tool['inputSchema'],
    outputSchema: AgentToolOutputSchema as unknown as NonNullable<Tool['outputSchema']>,
    // Unknown: it depends on the agent's tools.
    annotations: { readOnlyHint: false, openWorldHint: true },
  }
}

/** The arguments of a call: only keys that are not bound to a user may name one. */
export function inputSchemaFor({ bound_user }: Principal) {
  return bound_user === undefined ? AgentToolInputForAnyUserSchema : AgentToolInputSchema
}

/** Detects changes of agents by any process: one poll for all subscribers. */
export class AgentsWatch {
  readonly #db: Db
  #looked: { at: number; stamp: Promise<string> } | undefined

  constructor(db: Db) {
    this.#db = db
  }

  /** Yields after each change, until the signal aborts. */
  async *changes(signal: AbortSignal): AsyncGenerator<void> {
    let known = await this.#look()
    for (;;) {
      await delay(LOOK_MS, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      // While the database is unavailable, no change is reported.
      const stamp = await this.#look().catch(() => known)
      if (stamp === known) continue
      known = stamp
      yield
    }
  }

  #look(): Promise<string> {
    if (!this.#looked || Date.now() - this.#looked.at >= LOOK_MS / 2)
      this.#looked = { at: Date.now(), stamp: readAgentsStamp(this.#db) }
    return this.#looked.stamp
  }
}
