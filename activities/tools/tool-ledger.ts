// The ledger of tool calls: a call is started, perhaps returned, ended once.
import { activityInfo } from '@temporalio/activity'
import type { ToolCallInput, ToolCallResult } from '../../contracts/turn.ts'
import { readArguments, shownArguments } from '../../contracts/arguments.ts'
import { withoutNul } from '../../contracts/nul.ts'
import { raiseFence, type Writer } from '../../db/event-rows.ts'
import { cancelApprovals } from '../../db/queries/approval-changes.ts'
import { endLogEntry, startLogEntry } from '../../db/queries/log.ts'
import { finishToolCall, getToolCallOrThrow, returnToolCall, startToolCall } from '../../db/queries/steps.ts'
import type { ToolCallsTable, Tx } from '../../db/schema.ts'
import { overtaken } from '../failures.ts'
import type { ActivityResources } from '../resources.ts'
import { endEvent, plannedStartEvent, startEvent } from './call-events.ts'
import { callTransactions } from './call-transactions.ts'
import type { CallableTool } from './tools.ts'

const OUTCOME_UNKNOWN =
  'Outcome unknown: the call was interrupted and may or may not have had its effect. It was not repeated.'

export interface BegunCall {
  parameters: Record<string, unknown>
  writer: Writer
  logId: string
  startedAt: number
}

export type Begun<T> = { run: BegunCall & { tool: T } } | { result: ToolCallResult }

export interface CallEnd {
  status: 'done' | 'error' | 'unknown'
  /** The text for the model. */
  text: string
  /** The output in the execution log, when it is more than the text. */
  output?: unknown
  images?: { media_type: string; sha256: string }[]
}

export function toolLedger({
  db,
  events,
  tool_output_characters,
}: Pick<ActivityResources, 'db' | 'events' | 'tool_output_characters'>) {
  const commit = callTransactions({ db, events })
  return {
    /** The state of the call, read only. */
    look: (input: ToolCallInput) => getToolCallOrThrow(db, input.turn_id, input.call_id),

    /**
     * Writes the ledger row, unless the call is over, cannot be made, or was started before and must not run twice.
     * @param fence increases with every attempt
     */
    async begin<T extends CallableTool>(
      input: ToolCallInput,
      fence: number,
      find: (tx: Tx, call: ToolCallsTable) => Promise<T | undefined>,
    ): Promise<Begun<T>> {
      return commit(input.turn_id, async (tx, show, shown): Promise<Begun<T>> => {
        const { attempt, activityId, workflowExecution } = activityInfo()
        const writer = { scope: input.call_id, fence }
        const call = await getToolCallOrThrow(tx, input.turn_id, input.call_id)
        if (call.status !== 'planned' && call.status !== 'started')
          return { result: toResult(input, call.status as ToolCallResult['outcome']) }
        if (!(await raiseFence(tx, input.turn_id, writer))) throw overtaken()
        shown.push(...(await dropQuestions(tx, input)))
        const tool = await find(tx, call)
        const read = tool ? readArguments(tool, call.arguments) : { fault: `There is no tool '${call.name}'` }
        const logId = await startLogEntry(tx, {
          stream_id: input.turn_id,
          kind: 'tool_call',
          name: call.name,
          workflow_id: workflowExecution?.workflowId ?? '',
          activity_id: activityId,
          attempt,
          input: 'parameters' in read ? read.parameters : shownArguments(call.arguments),
        })
        const end = async (status: 'invalid' | 'unknown', output: string): Promise<Begun<T>> => {
          await finishToolCall(tx, input.turn_id, input.call_id, status, output)
          await show(writer, [
            'parameters' in read ? startEvent(call, read.parameters) : plannedStartEvent(call),
            endEvent(call.call_id, output, true),
          ])
          await endLogEntry(tx, logId, { status: 'failed', duration_ms: 0, error: { message: output } })
          return { result: toResult(input, status) }
        }
        if (!tool || !('parameters' in read)) return end('invalid', 'fault' in read ? read.fault : '')
        const first = await startToolCall(tx, input.turn_id, input.call_id)
        if (!first && !tool.idempotent) return end('unknown', OUTCOME_UNKNOWN)
        await show(writer, [startEvent(call, read.parameters)])
        return { run: { tool, parameters: read.parameters, writer, logId, startedAt: performance.now() } }
      })
    },

    /** Writes an event about what the call waits for before it starts, once. */
    async announce(input: ToolCallInput, message: string): Promise<void> {
      await commit(input.turn_id, async (tx, show) => {
        const call = await getToolCallOrThrow(tx, input.turn_id, input.call_id)
        if (call.status !== 'planned') return
        await show(undefined, [
          plannedStartEvent(call),
          {
            event: { type: 'tool_call_progress', data: { id: input.call_id, progress: 0, message } },
            key: `announced:${input.call_id}`,
          },
        ])
      })
    },

    /** Writes progress of the call. Progress of a call that has ended or was restarted is dropped. */
    async progress(
      input: ToolCallInput,
      { writer }: BegunCall,
      progress: { progress: number; total?: number | undefined; message?: string | undefined },
    ) {
      const { progress: done, total, message } = progress
      const data = {
        id: input.call_id,
        progress: done,
        ...(total !== undefined && { total }),
        ...(message !== undefined && { message }),
      }
      await commit(input.turn_id, (_, show) => show(writer, [{ event: { type: 'tool_call_progress', data } }]))
    },

    /** Ends a call that was executed. */
    finish(input: ToolCallInput, { writer, logId, startedAt }: BegunCall, end: CallEnd): Promise<ToolCallResult> {
      const { status, images } = end
      const text = withoutNul(shorten(end.text, tool_output_characters))
      const duration_ms = performance.now() - startedAt
      return commit(input.turn_id, async (tx, show, shown) => {
        await finishToolCall(tx, input.turn_id, input.call_id, status, text, images)
        shown.push(...(await dropQuestions(tx, input)))
        await show(writer, [endEvent(input.call_id, text, status !== 'done')])
        await endLogEntry(tx, logId, {
          status: status === 'done' ? 'completed' : 'failed',
          duration_ms,
          ...(status === 'done' ? { output: end.output ?? text } : { error: { message: text } }),
        })
        return toResult(input, status)
      })
    },

    /** Removes the ledger row: the tool certainly did not run. */
    async giveBack(input: ToolCallInput, { writer, logId, startedAt }: BegunCall, why: string): Promise<void> {
      await commit(input.turn_id, async (tx, show, shown) => {
        shown.push(...(await dropQuestions(tx, input)))
        // Also without an event: a superseded attempt must not change the row.
        await show(writer, [])
        await returnToolCall(tx, input.turn_id, input.call_id)
        const duration_ms = performance.now() - startedAt
        await endLogEntry(tx, logId, { status: 'interrupted', duration_ms, error: { message: why } })
      })
    },

    /** Ends a call that no attempt will finish: refused for a reason, never started, or started and of unknown outcome. */
    async abandon(input: ToolCallInput, reason?: string): Promise<ToolCallResult> {
      return commit(input.turn_id, async (tx, show, shown) => {
        shown.push(...(await dropQuestions(tx, input)))
        const call = await getToolCallOrThrow(tx, input.turn_id, input.call_id)
        const status = call.status !== 'planned' ? 'unknown' : reason === undefined ? 'cancelled' : 'error'
        const output = status === 'unknown' ? OUTCOME_UNKNOWN : (reason ?? 'Cancelled before it began')
        const ended = await finishToolCall(tx, input.turn_id, input.call_id, status, output)
        if (!ended) return toResult(input, call.status as ToolCallResult['outcome'])
        const start = plannedStartEvent(call)
        if (status === 'error') await show(undefined, [start])
        if (status !== 'cancelled') await show(undefined, [endEvent(input.call_id, output, true)])
        return toResult(input, status)
      })
    },
  }
}

/** The server that asked is no longer waiting. */
function dropQuestions(tx: Tx, { turn_id, call_id }: ToolCallInput) {
  return cancelApprovals(tx, turn_id, { call_id, kind: 'question' })
}

function toResult({ turn_id, call_id }: ToolCallInput, outcome: ToolCallResult['outcome']): ToolCallResult {
  return { turn_id, call_id, outcome }
}

export function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}\n[shortened: ${text.length - most} characters left out]`
}
