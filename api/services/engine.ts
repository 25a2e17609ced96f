// The API's calls to Temporal: start and cancel turns and jobs, and check reachability.
import { type Client, isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client'
import { JOB_WORKFLOWS, type JobInput, type JobKind } from '../../contracts/job.ts'
import type { McpServerRef } from '../../contracts/mcp.ts'
import { retry } from '../../contracts/retry.ts'
import { workflowId } from '../../contracts/temporal.ts'
import { MuxiError } from '../../contracts/failures.ts'
import type { StartableTurn } from '../../db/queries/turn-queue.ts'
import type { mcpServer } from '../../workflows/index.ts'
import { jobStart, mcpServerStart } from '../../workflows/labels.ts'
import { decided } from '../../workflows/messages.ts'
import type { ApiContext } from './context.ts'

/** Longest wait for Temporal to start a workflow, in milliseconds; after it the client gets 503. */
const ACCEPT_MS = 30_000
/** Interval and timeout of reachability checks during a pending call, in milliseconds. */
const REACH_MS = 2_000
const CANCEL_MS = 10_000
const PAUSE_MS = 50
const RETRY_AFTER_S = 5

type Engine = Pick<ApiContext, 'client'>

/**
 * Starts the workflow of an active turn. Idempotent: "already started" counts as success.
 * @throws MuxiError `unavailable` when the outcome is unknown
 */
export async function startTurn(
  { client, startTurn: start }: Pick<ApiContext, 'client' | 'startTurn'>,
  turn: StartableTurn,
): Promise<void> {
  await whileReachable(client, () => patiently(client, () => start(turn)))
}

/** Cancels the workflow of a turn; without one there is nothing to cancel. @throws MuxiError unavailable */
export async function stopTurn({ client }: Pick<ApiContext, 'client'>, turnId: string): Promise<void> {
  try {
    await client.withDeadline(Date.now() + CANCEL_MS, () =>
      unlessNotFound(() => client.workflow.getHandle(workflowId.chatTurn(turnId)).cancel()),
    )
  } catch (error) {
    throw engineAway(error)
  }
}

/** Retries an idempotent call while Temporal is briefly unavailable. */
async function patiently(client: Client, call: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + ACCEPT_MS
  try {
    await retry(() => client.withDeadline(deadline, call), { patience_ms: ACCEPT_MS, pause_ms: PAUSE_MS, mayPass })
  } catch (error) {
    throw engineAway(error)
  }
}

/** gRPC: cancelled, not found, resource exhausted, failed precondition, aborted, unavailable. */
function mayPass(error: unknown): boolean {
  const cause = (error as { cause?: unknown }).cause
  const grpc = isGrpcServiceError(error) ? error : isGrpcServiceError(cause) ? cause : undefined
  return grpc !== undefined && [1, 5, 8, 9, 10, 14].includes(grpc.code)
}

/**
 * Starts the workflow of a job. With `again`, an earlier run that is still open is replaced.
 * @throws MuxiError unavailable
 */
export async function startJob(
  { client }: Engine,
  job: JobInput,
  kind: JobKind,
  which: 'first' | 'again',
): Promise<void> {
  await whileReachable(client, () =>
    patiently(client, () =>
      client.workflow.start(JOB_WORKFLOWS[kind], {
        ...jobStart(job, kind),
        workflowIdConflictPolicy: which === 'again' ? 'TERMINATE_EXISTING' : 'USE_EXISTING',
      }),
    ),
  )
}

/** Aborts work that waits for an unreachable Temporal, so that the client can decide when to retry. */
async function whileReachable<T>(client: Client, work: () => Promise<T>): Promise<T> {
  const over = new AbortController()
  const watch = watchReachability(client)
  try {
    return await Promise.race([client.withAbortSignal(over.signal, work), watch.unreachable])
  } catch (error) {
    over.abort()
    throw error
  } finally {
    watch.stop()
  }
}

/** Checks Temporal periodically; most work ends before the first check. */
function watchReachability(client: Client): { unreachable: Promise<never>; stop: () => void } {
  const { promise: unreachable, reject } = Promise.withResolvers<never>()
  let isOver = false
  let timer = setTimeout(look, REACH_MS)
  function look(): void {
    client
      .withDeadline(Date.now() + REACH_MS, () => client.connection.workflowService.getSystemInfo({}))
      .then(
        () => void (isOver || (timer = setTimeout(look, REACH_MS))),
        (error: unknown) => reject(engineAway(error)),
      )
  }
  // A rejection after the race is decided is ignored.
  unreachable.catch(() => undefined)
  const stop = () => {
    isOver = true
    clearTimeout(timer)
  }
  return { unreachable, stop }
}

/** Starts the actor of an MCP server, unless it runs. @throws MuxiError unavailable */
export async function startMcpServer({ client }: Engine, ref: McpServerRef): Promise<void> {
  try {
    await client.withDeadline(Date.now() + CANCEL_MS, () =>
      client.workflow.start<typeof mcpServer>('mcpServer', mcpServerStart(ref)),
    )
  } catch (error) {
    throw engineAway(error)
  }
}

/** Signals the call that waits for a decision; a call that has ended is ignored. @throws MuxiError unavailable */
export async function tellDecision(
  { client }: Engine,
  { id, turn_id, call_id }: { id: string; turn_id: string; call_id: string },
): Promise<void> {
  try {
    await client.withDeadline(Date.now() + CANCEL_MS, () =>
      unlessNotFound(() => client.workflow.getHandle(workflowId.toolCall(turn_id, call_id)).signal(decided, id)),
    )
  } catch (error) {
    throw engineAway(error)
  }
}

/** @returns whether there was a workflow to stop */
export async function stopJob({ client }: Engine, jobId: string): Promise<boolean> {
  try {
    return await client.withDeadline(Date.now() + CANCEL_MS, () =>
      unlessNotFound(() => client.workflow.getHandle(workflowId.job(jobId)).cancel()),
    )
  } catch (error) {
    throw engineAway(error)
  }
}

async function unlessNotFound(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask()
    return true
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false
    throw error
  }
}

function engineAway(cause: unknown): MuxiError {
  return new MuxiError(
    'unavailable',
    'Temporal cannot be reached, or no worker takes messages; nothing accepted is lost',
    {
      retryAfter: RETRY_AFTER_S,
      cause,
    },
  )
}
