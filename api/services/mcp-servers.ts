// The MCP servers of an agent: those of its description, those added over the API, and the state of each.
import { setTimeout as delay } from 'node:timers/promises'
import { BUILTIN_SERVERS, type BuiltinServer } from '../../contracts/builtin-servers.ts'
import { separateServer } from '../../contracts/agent-secrets.ts'
import { shorten } from '../../contracts/shorten.ts'
import { MuxiError, notFound } from '../../contracts/failures.ts'
import { UrlRefused } from '../../contracts/url-refused.ts'
import { faultsOf, valuesOf, variablesOf, withFallbacks, type McpFault } from '../../contracts/mcp-check.ts'
import { timeoutsOf } from '../../contracts/mcp-timeouts.ts'
import type { AgentConfig, McpServer } from '../../contracts/schemas/agent.ts'
import { dotted } from '../../contracts/schemas/faults.ts'
import {
  configOf,
  deleteServer,
  findServer,
  listConfiguredServers,
  listServers,
  putServer,
  requestStart,
  type ServerRow,
} from '../../db/queries/mcp-servers.ts'
import { listToolsOfAgent, MAX_OFFERED, refusalsOf, type AgentTool } from '../../db/queries/mcp-tools.ts'
import { findConnectionSignIn } from '../../db/queries/sign-ins.ts'
import type { Principal } from '../../db/queries/keys.ts'
import type { Tx } from '../../db/schema.ts'
import type { SecretBox } from '../../db/secret-box.ts'
import type { McpServerRef } from '../../contracts/mcp.ts'
import { mapAll } from '../../contracts/map-all.ts'
import { serverWarnings, toolAnnotations, toolParameters } from '../../db/columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { authorize } from './access.ts'
import type { ApiContext } from './context.ts'
import { startMcpServer } from './engine.ts'
import { resolveSecret } from './secret-values.ts'

/** Longest wait of an addition for a worker, in addition to the server's start timeout, in milliseconds. */
const WORKER_MS = 15_000
const LOOK_MS = 100

/** Adds a server over the API and waits until its tools are listed, or an operator has to sign in; one that cannot be connected is removed. @throws MuxiError */
export async function addServer(
  context: ApiContext,
  principal: Principal,
  agentId: string,
  given: McpServer,
): Promise<ServerRow> {
  const { db, box } = context.storage
  const ref = { agent_id: agentId, name: given.name }
  const server = await checkServer(context, principal, given)
  const { config, secrets } = separateServer(server)
  for (const [path, value] of Object.entries(secrets)) {
    secrets[path] = resolveSecret('add the MCP server', path, value, context.apiEnv)
  }
  await db.transaction().execute(async (tx) => {
    if (await findServer(tx, ref))
      throw new MuxiError('conflict', `Cannot add the MCP server: there is one named '${ref.name}' already`)
    await putServer(tx, box, { agent_id: agentId, origin: 'api', server: config, secrets })
  })
  try {
    await startMcpServer(context, ref)
    return await waitUntilConnected(context, ref, timeoutsOf(given).connect_ms)
  } catch (error) {
    await removeServer(context, ref)
    throw error
  }
}

/**
 * The requested server with its credentials resolved, if this key may add it.
 * @throws MuxiError forbidden, bad_request, unprocessable
 */
export async function checkServer(
  { mcp, checkUrl, apiEnv }: Pick<ApiContext, 'mcp' | 'checkUrl' | 'apiEnv'>,
  principal: Principal,
  given: McpServer,
): Promise<McpServer> {
  if ('command' in given) {
    // A program runs as the worker's user.
    authorize(principal, 'admin')
    const program = given.args === undefined ? given.command.trim().split(/\s/)[0]! : given.command
    if (!mcp.commands.includes('*') && !mcp.commands.includes(program))
      throw new MuxiError(
        'forbidden',
        `Cannot add the MCP server: 'command' must be one of MUXI_MCP_COMMANDS, got '${shorten(program)}'`,
      )
  } else if ('builtin' in given) {
    // Built in, so it runs no foreign program; but not every key may choose the addresses it connects to.
    const { keys }: BuiltinServer = BUILTIN_SERVERS[given.builtin]
    if (!variablesOf(given).every((name) => keys.includes(name))) authorize(principal, 'admin')
    await checkSettings(given, { checkUrl, mcp })
  } else {
    await checkUrl(given.url).catch((error: Error) => refuse([{ path: ['url'], expected: error.message }]))
  }
  const [server] = withFallbacks([given], apiEnv)
  const faults = faultsOf(server!, [], [])
  if (faults.length > 0) refuse(faults)
  return server!
}

/** Refuses addresses of built-in servers that the operator does not allow. */
async function checkSettings(
  given: Extract<McpServer, { builtin: unknown }>,
  { checkUrl, mcp }: Pick<ApiContext, 'mcp' | 'checkUrl'>,
): Promise<void> {
  for (const [name, value] of valuesOf(given)) {
    const fail = (expected: string) => refuse([{ path: ['env', name], expected }])
    if (name === 'MUXI_ALLOW_PRIVATE_URLS' && !mcp.allow_private_urls)
      fail('left out: private addresses are not allowed here')
    if (!name.endsWith('_BASE_URL') || value === undefined) continue
    await checkUrl(value).catch((error: unknown) => {
      if (error instanceof UrlRefused) fail(`an address that may be reached: ${error.message}`)
    })
  }
}

function refuse(faults: McpFault[]): never {
  const fields = faults.map(({ path, expected }) => ({ path: dotted(path), expected }))
  const told = fields.map(({ path, expected }) => `'${path}' must be ${expected}`).join('; ')
  throw new MuxiError('unprocessable', `Cannot add the MCP server: ${told}`, { details: { fields } })
}

async function waitUntilConnected(
  { storage: { db }, closing }: ApiContext,
  ref: McpServerRef,
  ms: number,
): Promise<ServerRow> {
  const patience = AbortSignal.any([AbortSignal.timeout(ms + WORKER_MS), closing])
  for (;;) {
    const row = await findServer(db, ref)
    if (!row) throw notFound('MCP server', ref.name)
    if (row.state === 'connected' || row.state === 'needs_sign_in') return row
    if (row.state === 'idle' && row.last_error === null) return row
    if (row.last_error !== null) {
      const details = { server: ref.name, reason: row.last_error, ...(row.stderr_tail && { stderr: row.stderr_tail }) }
      throw new MuxiError('upstream_error', `Cannot connect to the MCP server '${ref.name}': ${row.last_error}`, {
        details,
      })
    }
    if (patience.aborted)
      throw new MuxiError('unavailable', 'No worker takes the MCP server; it was not added', { retryAfter: 5 })
    await delay(LOOK_MS, undefined, { signal: patience }).catch(() => undefined)
  }
}

/** Its supervisor detects the removal and stops it with its program. */
export async function removeServer(
  { storage: { db } }: Pick<ApiContext, 'storage'>,
  ref: McpServerRef,
): Promise<boolean> {
  return db.transaction().execute((tx) => deleteServer(tx, ref))
}

export interface DescribedAgent {
  id: string
  config: AgentConfig
  secrets: Readonly<Record<string, string>>
}

/** Brings an agent's servers to what its description names: new, changed and vanished ones. Those added over the API stay. */
export async function syncServersOf(context: ApiContext, agent: DescribedAgent): Promise<void> {
  const { db, box } = context.storage
  await db.transaction().execute((tx) => putServersOf(tx, box, agent))
  await startServersOf(context, agent)
}

/** The rows of `syncServersOf`. */
export async function putServersOf(tx: Tx, box: SecretBox, { id, config, secrets }: DescribedAgent): Promise<void> {
  const servers = config.mcp_servers ?? []
  for (const [index, server] of servers.entries()) {
    const prefix = `mcp_servers.${index}.`
    const own = Object.entries(secrets).filter(([path]) => path.startsWith(prefix))
    const below = Object.fromEntries(own.map(([path, value]) => [path.slice(prefix.length), value]))
    await putServer(tx, box, { agent_id: id, origin: 'config', server, secrets: below })
  }
  for (const { name, origin } of await listServers(tx, id)) {
    if (origin === 'config' && !servers.some((server) => server.name === name))
      await deleteServer(tx, { agent_id: id, name })
  }
}

/** Starts the workflows of an agent's servers; the sweeper starts what cannot be started now. */
export async function startServersOf(context: ApiContext, { id, config }: DescribedAgent): Promise<void> {
  const late = (error: unknown) =>
    context.log.warn({ err: error, agent_id: id }, 'an MCP server could not be started yet')
  await mapAll(config.mcp_servers ?? [], ({ name }) => startMcpServer(context, { agent_id: id, name }).catch(late))
}

/** The same for every agent of the operator's files; servers of deleted agents are removed. */
export async function syncServers(context: ApiContext, agents: readonly DescribedAgent[]): Promise<void> {
  await mapAll(agents, (agent) => syncServersOf(context, agent))
  for (const ref of await listConfiguredServers(context.storage.db, 'file')) {
    if (!agents.some(({ id }) => id === ref.agent_id)) await removeServer(context, ref)
  }
}

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
