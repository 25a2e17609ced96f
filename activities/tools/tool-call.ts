// One attempt at one call of a built-in tool: the ledger row before it, the outcome after it, and at most once unless the
// tool is idempotent.
import { activityInfo, cancellationSignal } from '@temporalio/activity'
import { raceSignal } from '../../contracts/signals.ts'
import type { ToolCallInput, ToolCallResult } from '../../contracts/turn.ts'
import { untilDatabaseIsBack } from '../../db/storage.ts'
import { overtaken } from '../failures.ts'
import { startBeating } from '../heartbeat.ts'
import type { ActivityResources } from '../resources.ts'
import { ToolError } from './tool.ts'
import { toolLedger, type CallEnd } from './tool-ledger.ts'

type Resources = Pick<ActivityResources, 'db' | 'events' | 'stops' | 'tools' | 'tool_output_characters'>

export function toolCallActivities(resources: Resources) {
  const { stops, tools } = resources
  const ledger = toolLedger(resources)
  return {
    async callTool(input: ToolCallInput): Promise<ToolCallResult> {
      const begun = await ledger.begin(input, activityInfo().attempt, async (_, call) =>
        tools.find(({ name }) => name === call.name),
      )
      if ('result' in begun) return begun.result
      const { tool, parameters } = begun.run
      const stopBeating = startBeating()
      const stop = stops.register(input.turn_id)
      const signal = AbortSignal.any([stop.signal, cancellationSignal()])
      let end: CallEnd
      try {
        const { turn_id, agent_id, conversation_id } = input
        const output = await raceSignal(tool.run(parameters, signal, { turn_id, agent_id, conversation_id }), signal)
        end = { status: 'done', text: typeof output === 'string' ? output : JSON.stringify(output), output }
      } catch (error) {
        // abandonToolCall settles the outcome, once Temporal's cancellation has arrived.
        if (signal.aborted) throw cancellationSignal().aborted ? cancellationSignal().reason : overtaken()
        const text = error instanceof ToolError ? error.message : `The tool '${tool.name}' failed unexpectedly`
        end = { status: 'error', text }
      } finally {
        stop.done()
        stopBeating()
      }
      // This is the only copy of the result: if it is lost, the outcome is unknown.
      const stopBeatingAgain = startBeating()
      return untilDatabaseIsBack(() => ledger.finish(input, begun.run, end), cancellationSignal()).finally(
        stopBeatingAgain,
      )
    },

    /** Records the end of a call that no attempt will finish: never started, or started and of unknown outcome. */
    async abandonToolCall(input: ToolCallInput): Promise<void> {
      await ledger.abandon(input)
    },
  }
}
