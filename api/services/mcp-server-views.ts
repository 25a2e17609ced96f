// What the API shows of an MCP server: its state, its tools and its warnings.
import { notFound } from '../../contracts/failures.ts'
import type { McpServerRef } from '../../contracts/mcp.ts'
import type { McpServer } from '../../contracts/schemas/mcp-server.ts'
import { serverWarnings, toolAnnotations, toolParameters } from '../../db/columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { configOf, findServer, requestStart, type ServerRow } from '../../db/queries/mcp-servers.ts'
import { listToolsOfAgent, MAX_OFFERED, refusalsOf, type AgentTool } from '../../db/queries/mcp-tools.ts'
import { findConnectionSignIn } from '../../db/queries/sign-ins.ts'
import type { ApiContext } from './context.ts'

export function typeOf(server: McpServer): 'command' | 'http' {
  return 'url' in server ? 'http' : 'command'
}

/** Its command line, or its URL. */
function placeOf(server: McpServer): { command: string } | { url: string } {
  if ('url' in server) return { url: server.url }
  if ('builtin' in server) return { command: `muxi mcp ${server.builtin}` }
  return { command: [server.command, ...(server.args ?? [])].join(' ') }
}

/** The view of a server in lists. */
export function viewServerBriefly(row: ServerRow) {
  const server = configOf(row)
  const now = Date.now()
  const since = (moment: string | null) =>
    moment === null ? null : Math.max(0, Math.round((now - Date.parse(moment)) / 1_000))
  return {
    name: row.name,
    type: typeOf(server),
    ...placeOf(server),
    connected: row.state === 'connected',
    state: row.state,
    stats: {
      connection_age_s: since(row.connected_at),
      idle_time_s: since(row.last_activity_at ?? row.connected_at),
      active_requests: row.active_requests,
      ...(row.pid !== null && { pid: row.pid }),
    },
  }
}

/**
 * The operator's sign-in URL, when a server requires a sign-in to list its tools. The URL is secret: it authorizes the
 * sign-in.
 */
export async function signInUrlOf(
  { storage: { db }, public_url }: ApiContext,
  principal: Principal,
  row: ServerRow,
): Promise<{ sign_in_url?: string }> {
  if (row.state !== 'needs_sign_in' || !mayManage(principal)) return {}
  const id = await findConnectionSignIn(db, row)
  return id === undefined ? {} : { sign_in_url: `${public_url}/oauth/sign-in/${id}` }
}

function mayManage({ scopes }: Principal): boolean {
  return scopes.has('manage') || scopes.has('admin')
}

/** The full view of a server; an idle one is started. @throws MuxiError not_found */
export async function viewServer(context: ApiContext, principal: Principal, ref: McpServerRef) {
  const { db } = context.storage
  const row = await findServer(db, ref)
  if (!row) throw notFound('MCP server', ref.name)
  if (row.state === 'idle') await requestStart(db, ref)
  const server = configOf(row)
  const brief = viewServerBriefly(row)
  const listed = await listToolsOfAgent(db, ref.agent_id)
  const tools = listed.filter((tool) => tool.server === ref.name)
  return {
    ...brief,
    ...(await signInUrlOf(context, principal, row)),
    approval: server.approval ?? 'destructive',
    trust_annotations: server.trust_annotations ?? false,
    stats: {
      ...brief.stats,
      session_id: row.session_id,
      current_time: new Date().toISOString(),
      connect_time: row.connected_at,
      last_activity: row.last_activity_at,
      reconnects: row.reconnects,
      last_error: row.last_error,
      stderr: row.stderr_tail,
    },
    warnings: [
      ...(parseColumn(serverWarnings, row.warnings, `${ref.agent_id}/${ref.name}`) ?? []),
      ...warningsOf(tools),
    ],
    available_tools: tools.map(
      ({ tool, name, description, parameters, annotations, hash, approved_hash, left_out }) => ({
        name: tool,
        offered_as: left_out === undefined ? name : null,
        description,
        parameters: parseColumn(toolParameters, parameters, `${ref.agent_id}/${ref.name}/${tool}`),
        annotations: parseColumn(toolAnnotations, annotations, `${ref.agent_id}/${ref.name}/${tool}`),
        drifted: hash !== approved_hash,
      }),
    ),
  }
}

function warningsOf(tools: readonly AgentTool[]): string[] {
  const refused = tools.flatMap((tool) =>
    Object.entries(refusalsOf(tool)).map(
      ([model, why]) => `The model '${model}' does not take the tool '${tool.tool}', it is not offered to it: ${why}`,
    ),
  )
  const many = tools.filter(({ left_out }) => left_out === 'too many').length
  if (many === 0) return refused
  return [
    ...refused,
    `${many} of its ${tools.length} tools are not offered to models: the servers of an agent may offer ${MAX_OFFERED} together. Choose them with 'offered_tools'.`,
  ]
}
