// An MCP server is added over the API: checked, stored, and kept once it is connected.
import { setTimeout as delay } from 'node:timers/promises'
import { separateServer } from '../../contracts/agent-secrets.ts'
import { BUILTIN_SERVERS, type BuiltinServer } from '../../contracts/builtin-servers.ts'
import { MuxiError, notFound } from '../../contracts/failures.ts'
import { faultsOf, valuesOf, variablesOf, type McpFault } from '../../contracts/mcp-check.ts'
import { timeoutsOf } from '../../contracts/mcp-timeouts.ts'
import type { McpServerRef } from '../../contracts/mcp.ts'
import type { McpServer } from '../../contracts/schemas/mcp-server.ts'
import { dotted } from '../../contracts/schemas/faults.ts'
import { shorten } from '../../contracts/shorten.ts'
import { UrlRefused } from '../../contracts/url-refused.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { findServer, putServer, type ServerRow } from '../../db/queries/mcp-servers.ts'
import { authorize } from './access.ts'
import type { ApiContext } from './context.ts'
import { startMcpServer } from './engine.ts'
import { removeServer } from './mcp-servers.ts'
import { resolveServer } from './secret-values.ts'

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
  const server = resolveServer('add the MCP server', given, context.apiEnv)
  await checkServer(context, principal, server)
  const { config, secrets } = separateServer(server)
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

/** Whether this key may add the server, which has the values of its credentials. @throws MuxiError forbidden, unprocessable */
export async function checkServer(
  { mcp, checkUrl }: Pick<ApiContext, 'mcp' | 'checkUrl'>,
  principal: Principal,
  given: McpServer,
): Promise<void> {
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
    await checkUrl(given.url).catch((error: Error) =>
      refuse([{ path: ['url'], expected: `an address that may be reached: ${error.message}` }]),
    )
  }
  const faults = faultsOf(given, [], [])
  if (faults.length > 0) refuse(faults)
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
