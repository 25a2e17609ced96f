// The rows and events of one tool call's life: begun, perhaps given back, ended once. Each step is one transaction.
import { activityInfo } from '@temporalio/activity'
import type { ToolCallInput, ToolCallResult } from '../contracts/engine.ts'
import { addEvents, raiseFence, type Addition, type Writer } from '../db/event-rows.ts'
import { endLogEntry, startLogEntry } from '../db/queries/log.ts'
import { finishToolCall, getToolCallOrThrow, returnToolCall, startToolCall } from '../db/queries/steps.ts'
import { lockTurn } from '../db/queries/turns.ts'
import type { ToolCallsTable, Tx } from '../db/schema.ts'
import { overtaken } from './failures.ts'
import type { ActivityResources } from './resources.ts'
import { readArguments, type CallableTool } from './tools.ts'

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
  /** What the model is told. */
  text: string
  /** What stands in the execution log, when that is more than the text. */
  output?: unknown
  images?: { media_type: string; sha256: string }[]
}

export function toolLedger({
  db,
  events,
  tool_output_characters,
}: Pick<ActivityResources, 'db' | 'events' | 'tool_output_characters'>) {
  /** Runs a step of the call's life in one transaction, and shows its events once they are committed. */
  async function commit<T>(
    turnId: string,
    work: (tx: Tx, show: (writer: Writer | undefined, additions: Addition[]) => Promise<void>) => Promise<T>,
  ): Promise<T> {
    const { value, shown } = await db.transaction().execute(async (tx) => {
      await lockTurn(tx, turnId)
      const shown: Parameters<typeof events.publish>[1][] = []
      const value = await work(tx, async (writer, additions) => {
        const added = await addEvents(tx, turnId, writer, additions)
        if ('refused' in added) throw overtaken()
        shown.push(added.events)
      })
      return { value, shown }
    })
    for (const added of shown) events.publish(turnId, added)
    return value
  }

  return {
    /** How the call stands before anything is done about it. */
    look: (input: ToolCallInput) => getToolCallOrThrow(db, input.turn_id, input.call_id),

    /**
     * Writes the ledger row, unless the call is over, cannot be made, or has begun before and must not be made twice.
     * @param fence ascends with every attempt
     */
    async begin<T extends CallableTool>(
      input: ToolCallInput,
      fence: number,
      find: (tx: Tx, call: ToolCallsTable) => Promise<T | undefined>,
    ): Promise<Begun<T>> {
      return commit(input.turn_id, async (tx, show): Promise<Begun<T>> => {
        const { attempt, activityId, workflowExecution } = activityInfo()
        const writer = { scope: input.call_id, fence }
        const call = await getToolCallOrThrow(tx, input.turn_id, input.call_id)
        if (call.status !== 'planned' && call.status !== 'started') return { result: toResult(input, call.status) }
        if (!(await raiseFence(tx, input.turn_id, writer))) throw overtaken()
        const tool = await find(tx, call)
        const read = tool ? readArguments(tool, call.arguments) : { fault: `There is no tool '${call.name}'` }
        const logId = await startLogEntry(tx, {
          turn_id: input.turn_id,
          kind: 'tool_call',
          name: call.name,
          workflow_id: workflowExecution?.workflowId ?? '',
          activity_id: activityId,
          attempt,
          input: 'parameters' in read ? read.parameters : call.arguments,
        })
        const end = async (status: 'invalid' | 'unknown', output: string): Promise<Begun<T>> => {
          await finishToolCall(tx, input.turn_id, input.call_id, status, output)
          await show(writer, [startEvent(call, read), endEvent(call.call_id, output, true)])
          await endLogEntry(tx, logId, { status: 'failed', duration_ms: 0, error: { message: output } })
          return { result: toResult(input, status) }
        }
        if (!tool || !('parameters' in read)) return end('invalid', 'fault' in read ? read.fault : '')
        const first = await startToolCall(tx, input.turn_id, input.call_id)
        if (!first && !tool.idempotent) return end('unknown', OUTCOME_UNKNOWN)
        await show(writer, [startEvent(call, read)])
        return { run: { tool, parameters: read.parameters, writer, logId, startedAt: performance.now() } }
      })
    },

    /** Tells how far the call is. A call that is over, or begun anew, has nothing more to tell. */
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

    /** The end of a call that was made. */
    finish(input: ToolCallInput, { writer, logId, startedAt }: BegunCall, end: CallEnd): Promise<ToolCallResult> {
      const { status, images } = end
      const text = shorten(end.text, tool_output_characters)
      const duration_ms = performance.now() - startedAt
      return commit(input.turn_id, async (tx, show) => {
        await finishToolCall(tx, input.turn_id, input.call_id, status, text, images)
        await show(writer, [endEvent(input.call_id, text, status !== 'done')])
        await endLogEntry(tx, logId, {
          status: status === 'done' ? 'completed' : 'failed',
          duration_ms,
          ...(status === 'done' ? { output: end.output ?? text } : { error: { message: text } }),
        })
        return toResult(input, status)
      })
    },

    /** Takes the ledger row back: the tool was certainly not run. */
    async giveBack(input: ToolCallInput, { writer, logId, startedAt }: BegunCall, why: string): Promise<void> {
      await commit(input.turn_id, async (tx, show) => {
        // Also when there is nothing to show: an attempt that has been overtaken must not change the row.
        await show(writer, [])
        await returnToolCall(tx, input.turn_id, input.call_id)
        const duration_ms = performance.now() - startedAt
        await endLogEntry(tx, logId, { status: 'interrupted', duration_ms, error: { message: why } })
      })
    },

    /** The end of a call that no attempt will finish: not made for a reason, never begun, or begun and of unknown outcome. */
    async abandon(input: ToolCallInput, reason?: string): Promise<ToolCallResult> {
      return commit(input.turn_id, async (tx, show) => {
        const call = await getToolCallOrThrow(tx, input.turn_id, input.call_id)
        const status = call.status !== 'planned' ? 'unknown' : reason === undefined ? 'cancelled' : 'error'
        const output = status === 'unknown' ? OUTCOME_UNKNOWN : (reason ?? 'Cancelled before it began')
        const ended = await finishToolCall(tx, input.turn_id, input.call_id, status, output)
        if (!ended) return toResult(input, call.status as ToolCallResult['outcome'])
        const start = startEvent(call, { parameters: parseOr(call.arguments) })
        if (status === 'error') await show(undefined, [start])
        if (status !== 'cancelled') await show(undefined, [endEvent(input.call_id, output, true)])
        return toResult(input, status)
      })
    },
  }
}

function toResult({ turn_id, call_id }: ToolCallInput, outcome: ToolCallResult['outcome']): ToolCallResult {
  return { turn_id, call_id, outcome }
}

function startEvent(call: ToolCallsTable, read: { parameters: unknown } | { fault: string }): Addition {
  const parameters = 'parameters' in read ? read.parameters : call.arguments
  const data = { id: call.call_id, name: call.tool ?? call.name, server: call.server, parameters }
  return { event: { type: 'tool_call_start', data }, key: `start:${call.call_id}` }
}

function endEvent(id: string, output: string, isError: boolean): Addition {
  return { event: { type: 'tool_call_end', data: { id, output, is_error: isError } }, key: `end:${id}` }
}

function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}\n[shortened: ${text.length - most} characters left out]`
}

function parseOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
