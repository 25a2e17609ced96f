// What the API asks of Temporal: hand over a turn, stop a turn, and whether it can be reached.
import {
  type Client,
  isGrpcServiceError,
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client'
import { ApplicationFailure } from '@temporalio/common'
import { setTimeout as delay } from 'node:timers/promises'
import {
  JOB_WORKFLOWS,
  TASK_QUEUE,
  workflowId,
  type JobInput,
  type JobKind,
  type McpServerRef,
  type Receipt,
  type SubmitInput,
} from '../../contracts/engine.ts'
import { MuxiError } from '../../contracts/failures.ts'
import type { conversation, mcpServer } from '../../workflows/index.ts'
import { jobStart, mcpServerStart, searchAttributesOf } from '../../workflows/labels.ts'
import { BUSY, cancelTurn, decided, QUEUE_FULL, submit } from '../../workflows/messages.ts'
import type { ApiContext } from './context.ts'

/** How long a message may wait for the engine to take it before its sender is told to try again. */
const ACCEPT_MS = 30_000
/** How often an engine that somebody waits for is asked whether it is there, and how long it may take to say so. */
const REACH_MS = 2_000
const CANCEL_MS = 10_000
const PAUSE_MS = 50
const RETRY_AFTER_S = 5

type Engine = Pick<ApiContext, 'client' | 'conversation'>

/**
 * Hands a turn to its conversation, which begins when there is none. Safe to repeat with the same turn.
 * @throws MuxiError `conflict` when the conversation refuses, `unavailable` when the outcome is unknown
 */
export async function submitTurn({ client, conversation: actor }: Engine, turn: SubmitInput): Promise<Receipt> {
  return whileReachable(client, () => submitPatiently(client, actor, turn))
}

async function submitPatiently(client: Client, actor: Engine['conversation'], turn: SubmitInput): Promise<Receipt> {
  const deadline = Date.now() + ACCEPT_MS
  for (;;) {
    try {
      return await client.withDeadline(deadline, () =>
        client.workflow.executeUpdateWithStart(submit, {
          args: [turn],
          updateId: turn.turn_id,
          startWorkflowOperation: new WithStartWorkflowOperation<typeof conversation>('conversation', {
            workflowId: workflowId.conversation(turn.conversation_id),
            workflowIdConflictPolicy: 'USE_EXISTING',
            taskQueue: TASK_QUEUE,
            args: [{ conversation_id: turn.conversation_id, ...actor }],
            workflowTaskTimeout: '5s',
            typedSearchAttributes: searchAttributesOf('conversation', turn),
            staticSummary: `Conversation with ${turn.agent_id}`,
            priority: { priorityKey: 1 },
          }),
        }),
      )
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal) throw refusal
      // The actor ended in the very moment, or the engine is away for a moment: the turn's id makes asking again safe.
      if (Date.now() + PAUSE_MS >= deadline || !mayPass(error)) throw engineAway(error)
      await delay(PAUSE_MS)
    }
  }
}

function refusalOf(error: unknown): MuxiError | undefined {
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined
  if (!(cause instanceof ApplicationFailure)) return undefined
  if (cause.type === BUSY) return new MuxiError('conflict', 'The conversation is answering another message')
  if (cause.type === QUEUE_FULL)
    return new MuxiError('rate_limited', 'Too many messages wait in this conversation', { retryAfter: RETRY_AFTER_S })
  return undefined
}

/** gRPC: cancelled, not found, resource exhausted, aborted, unavailable; and an update whose workflow ended before it was taken. */
function mayPass(error: unknown): boolean {
  if (error instanceof WorkflowUpdateFailedError || error instanceof WorkflowNotFoundError) return true
  const cause = (error as { cause?: unknown }).cause
  const grpc = isGrpcServiceError(error) ? error : isGrpcServiceError(cause) ? cause : undefined
  return grpc !== undefined && [5, 8, 9, 10, 14].includes(grpc.code)
}

/** Tells the conversation to stop a turn; a turn whose conversation is gone is told directly. */
export async function stopTurn({ client }: Engine, turnId: string, conversationId: string): Promise<void> {
  try {
    await client.withDeadline(Date.now() + CANCEL_MS, async () => {
      const told = await unlessNotFound(() =>
        client.workflow.getHandle(workflowId.conversation(conversationId)).signal(cancelTurn, turnId),
      )
      if (!told) await unlessNotFound(() => client.workflow.getHandle(workflowId.chatTurn(turnId)).cancel())
    })
  } catch (error) {
    throw engineAway(error)
  }
}

/**
 * Starts the workflow of a job. An earlier run that is still open has nothing left to do when it is tried `again`.
 * @throws MuxiError unavailable
 */
export async function startJob(
  { client }: Pick<Engine, 'client'>,
  job: JobInput,
  kind: JobKind,
  which: 'first' | 'again',
): Promise<void> {
  await whileReachable(client, () => startPatiently(client, job, kind, which))
}

async function startPatiently(client: Client, job: JobInput, kind: JobKind, which: 'first' | 'again'): Promise<void> {
  const deadline = Date.now() + ACCEPT_MS
  for (;;) {
    try {
      await client.withDeadline(deadline, () =>
        client.workflow.start(JOB_WORKFLOWS[kind], {
          ...jobStart(job, kind),
          workflowIdConflictPolicy: which === 'again' ? 'TERMINATE_EXISTING' : 'USE_EXISTING',
        }),
      )
      return
    } catch (error) {
      if (Date.now() + PAUSE_MS >= deadline || !mayPass(error)) throw engineAway(error)
      await delay(PAUSE_MS)
    }
  }
}

/** Calls off work that waits for an engine that cannot be reached at all: its sender knows better when to try again. */
async function whileReachable<T>(client: Client, work: () => Promise<T>): Promise<T> {
  const over = new AbortController()
  try {
    return await Promise.race([client.withAbortSignal(over.signal, work), untilUnreachable(client, over.signal)])
  } finally {
    over.abort()
  }
}

async function untilUnreachable(client: Client, signal: AbortSignal): Promise<never> {
  for (;;) {
    await delay(REACH_MS, undefined, { signal })
    try {
      await client.withDeadline(Date.now() + REACH_MS, () => client.connection.workflowService.getSystemInfo({}))
    } catch (error) {
      throw engineAway(error)
    }
  }
}

/** Starts the actor of an MCP server, unless it runs. @throws MuxiError unavailable */
export async function startMcpServer({ client }: Pick<Engine, 'client'>, ref: McpServerRef): Promise<void> {
  try {
    await client.withDeadline(Date.now() + CANCEL_MS, () =>
      client.workflow.start<typeof mcpServer>('mcpServer', mcpServerStart(ref)),
    )
  } catch (error) {
    throw engineAway(error)
  }
}

/** Has the call that waits for a decision look at it; one that is over needs none. @throws MuxiError unavailable */
export async function tellDecision(
  { client }: Pick<Engine, 'client'>,
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
