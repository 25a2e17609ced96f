// One attempt at one tool call: the ledger row before it, the outcome after it, and never twice unless that does no harm.
import { activityInfo, cancellationSignal } from '@temporalio/activity'
import { raceSignal } from '../contracts/signals.ts'
import type { ToolCallInput, ToolCallResult } from '../contracts/engine.ts'
import { addEvents, raiseFence, type Addition, type Writer } from '../db/event-rows.ts'
import { endLogEntry, startLogEntry } from '../db/queries/log.ts'
import { finishToolCall, getToolCallOrThrow, startToolCall } from '../db/queries/steps.ts'
import { lockTurn } from '../db/queries/turns.ts'
import { untilDatabaseIsBack } from '../db/storage.ts'
import type { ToolCallsTable, Tx } from '../db/schema.ts'
import { overtaken } from './failures.ts'
import { startBeating } from './heartbeat.ts'
import type { ActivityResources } from './resources.ts'
import { ToolError, type Tool } from './tool.ts'
import { readArguments } from './tools.ts'

/** What a tool may tell the model, in characters; the rest is cut off and the model told so. */
const MAX_OUTPUT = 50_000
const OUTCOME_UNKNOWN =
  'Outcome unknown: the call was interrupted and may or may not have had its effect. It was not repeated.'

type Resources = Pick<ActivityResources, 'db' | 'events' | 'stops' | 'tools'>
type Begun =
  | { run: { tool: Tool; parameters: Record<string, unknown>; writer: Writer; logId: string } }
  | { result: ToolCallResult }

export function toolCallActivities({ db, events, stops, tools }: Resources) {
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

  async function begin(input: ToolCallInput): Promise<Begun> {
    return commit(input.turn_id, async (tx, show) => {
      const { attempt, activityId, workflowExecution } = activityInfo()
      const writer = { scope: input.call_id, fence: attempt }
      const call = await getToolCallOrThrow(tx, input.turn_id, input.call_id)
      if (call.status !== 'planned' && call.status !== 'started') return { result: toResult(input, call.status) }
      if (!(await raiseFence(tx, input.turn_id, writer))) throw overtaken()
      const tool = tools.find(({ name }) => name === call.name)
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
      const end = async (status: 'invalid' | 'unknown', output: string): Promise<Begun> => {
        await finishToolCall(tx, input.turn_id, input.call_id, status, output)
        await show(writer, [startEvent(call, read), endEvent(call.call_id, output, true)])
        await endLogEntry(tx, logId, { status: 'failed', duration_ms: 0, error: { message: output } })
        return { result: toResult(input, status) }
      }
      if (!tool || !('parameters' in read)) return end('invalid', 'fault' in read ? read.fault : '')
      const first = await startToolCall(tx, input.turn_id, input.call_id)
      if (!first && !tool.idempotent) return end('unknown', OUTCOME_UNKNOWN)
      await show(writer, [startEvent(call, read)])
      return { run: { tool, parameters: read.parameters, writer, logId } }
    })
  }

  return {
    async callTool(input: ToolCallInput): Promise<ToolCallResult> {
      const begun = await begin(input)
      if ('result' in begun) return begun.result
      const { tool, parameters, writer, logId } = begun.run
      const stopBeating = startBeating()
      const stop = stops.register(input.turn_id)
      const startedAt = performance.now()
      const signal = AbortSignal.any([stop.signal, cancellationSignal()])
      let outcome: 'done' | 'error' = 'done'
      let output: unknown
      try {
        output = await raceSignal(
          tool.run(parameters, signal, { agent_id: input.agent_id, conversation_id: input.conversation_id }),
          signal,
        )
      } catch (error) {
        // What the call came to is settled by abandonToolCall, once the engine's cancellation has arrived.
        if (signal.aborted) throw cancellationSignal().aborted ? cancellationSignal().reason : overtaken()
        outcome = 'error'
        output = error instanceof ToolError ? error.message : `The tool '${tool.name}' failed unexpectedly`
      } finally {
        stop.done()
        stopBeating()
      }
      const text = shorten(typeof output === 'string' ? output : JSON.stringify(output))
      const duration_ms = performance.now() - startedAt
      const record = () =>
        commit(input.turn_id, async (tx, show) => {
          await finishToolCall(tx, input.turn_id, input.call_id, outcome, text)
          await show(writer, [endEvent(input.call_id, text, outcome === 'error')])
          await endLogEntry(tx, logId, {
            status: outcome === 'done' ? 'completed' : 'failed',
            duration_ms,
            ...(outcome === 'done' ? { output } : { error: { message: text } }),
          })
          return toResult(input, outcome)
        })
      // The only copy of what the call came to is here: were it lost, nobody could tell any more.
      const stopBeatingAgain = startBeating()
      return untilDatabaseIsBack(record, cancellationSignal()).finally(stopBeatingAgain)
    },

    /** Records the end of a call that no attempt will finish: never begun, or begun and of unknown outcome. */
    async abandonToolCall(input: ToolCallInput): Promise<void> {
      await commit(input.turn_id, async (tx, show) => {
        const call = await getToolCallOrThrow(tx, input.turn_id, input.call_id)
        const status = call.status === 'planned' ? 'cancelled' : 'unknown'
        const output = status === 'cancelled' ? 'Cancelled before it began' : OUTCOME_UNKNOWN
        const ended = await finishToolCall(tx, input.turn_id, input.call_id, status, output)
        if (ended && status === 'unknown') await show(undefined, [endEvent(input.call_id, output, true)])
      })
    },
  }
}

function toResult({ turn_id, call_id }: ToolCallInput, outcome: ToolCallResult['outcome']): ToolCallResult {
  return { turn_id, call_id, outcome }
}

function startEvent(call: ToolCallsTable, read: ReturnType<typeof readArguments>): Addition {
  const parameters = 'parameters' in read ? read.parameters : call.arguments
  const data = { id: call.call_id, name: call.name, server: call.server, parameters }
  return { event: { type: 'tool_call_start', data }, key: `start:${call.call_id}` }
}

function endEvent(id: string, output: string, isError: boolean): Addition {
  return { event: { type: 'tool_call_end', data: { id, output, is_error: isError } }, key: `end:${id}` }
}

function shorten(text: string): string {
  return text.length <= MAX_OUTPUT
    ? text
    : `${text.slice(0, MAX_OUTPUT)}\n[shortened: ${text.length - MAX_OUTPUT} characters left out]`
}
