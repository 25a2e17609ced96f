// Ensures that a namespace exists with the configured retention and muxi's search attributes.
import { type Connection, isGrpcServiceError } from '@temporalio/client'
import { msToTs, tsToMs } from '@temporalio/common/lib/time.js'
import { retry } from '../contracts/retry.ts'
import { SEARCH_ATTRIBUTES } from '../contracts/temporal.ts'

/** The common interface of `Connection` and `NativeConnection`. */
type Services = Pick<Connection, 'workflowService' | 'operatorService'>

const DAY_MS = 24 * 60 * 60 * 1000
/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API. */
const KEYWORD = 2
/** A namespace that was just created is visible after at most 10 s (cache of the server). */
const NAMESPACE_CACHE_MS = 20_000
const PAUSE_MS = 200
const NOT_FOUND = 5
const ALREADY_EXISTS = 6

/** Changes only what differs, so it may run at every start and in several processes at once. Logs its changes. */
export async function ensureNamespace(
  connection: Services,
  { namespace, history_days }: { namespace: string; history_days: number },
): Promise<string[]> {
  const made = await ensureExists(connection, namespace, history_days)
  const retention = await ensureRetention(connection, namespace, history_days)
  const attributes = await ensureSearchAttributes(connection, namespace)
  return [...made, ...retention, ...attributes]
}

async function ensureExists({ workflowService }: Services, namespace: string, days: number): Promise<string[]> {
  try {
    await workflowService.describeNamespace({ namespace })
    return []
  } catch (error) {
    if (!hasCode(error, NOT_FOUND)) throw cannot(`find namespace '${namespace}'`, error)
  }
  try {
    await workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs(days * DAY_MS) })
  } catch (error) {
    if (!hasCode(error, ALREADY_EXISTS)) throw cannot(`make namespace '${namespace}'`, error)
  }
  return [`made namespace '${namespace}'`]
}

async function ensureRetention({ workflowService }: Services, namespace: string, days: number): Promise<string[]> {
  const { config } = await workflowService.describeNamespace({ namespace })
  const retention = config?.workflowExecutionRetentionTtl
  if (retention && tsToMs(retention) === days * DAY_MS) return []
  const what = `set the retention of namespace '${namespace}' to ${days} days`
  try {
    await workflowService.updateNamespace({
      namespace,
      config: { workflowExecutionRetentionTtl: msToTs(days * DAY_MS) },
    })
  } catch (error) {
    throw cannot(what, error)
  }
  return [what]
}

async function ensureSearchAttributes(connection: Services, namespace: string): Promise<string[]> {
  // The responding part of the server may not know a new namespace yet.
  const patience = {
    patience_ms: NAMESPACE_CACHE_MS,
    pause_ms: PAUSE_MS,
    mayPass: (error: unknown) => hasCode(error, NOT_FOUND),
  }
  const missing = await retry(() => missingAttributes(connection, namespace), patience).catch((error: unknown) => {
    throw cannot('read the search attributes', error)
  })
  if (missing.length === 0) return []
  const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]))
  try {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes })
  } catch (error) {
    if (!hasCode(error, ALREADY_EXISTS)) {
      throw cannot(`add the search attributes ${missing.join(', ')} to namespace '${namespace}'`, error)
    }
  }
  return [`added the search attributes ${missing.join(', ')}`]
}

async function missingAttributes({ operatorService }: Services, namespace: string): Promise<string[]> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace })
  return SEARCH_ATTRIBUTES.filter((name) => customAttributes[name] === undefined)
}

function hasCode(error: unknown, code: number): boolean {
  return isGrpcServiceError(error) && error.code === code
}

function cannot(what: string, cause: unknown): Error {
  const details = isGrpcServiceError(cause) ? cause.details : String(cause)
  return new Error(`Cannot ${what}: ${details}. An administrator of this Temporal server must do it`, { cause })
}
