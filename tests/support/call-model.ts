// The activity that calls a model, outside of Temporal, over a storage as a worker has it.
import { MockActivityEnvironment } from '@temporalio/testing'
import { pino } from 'pino'
import { DefaultLogger } from '@temporalio/worker'
import { modelCallActivities } from '../../activities/turn/model-call.ts'
import { stepPrompts } from '../../activities/turn/step-prompt.ts'
import { workflowId } from '../../contracts/temporal.ts'
import type { ModelCallResult } from '../../contracts/turn.ts'
import { ModelRegistry } from '../../providers/registry.ts'
import type { TestStorage } from './dialects.ts'
import { indexOf } from './search-index.ts'

const SILENT = new DefaultLogger('ERROR', () => undefined)

/** Only the offline model, as fast as it can be. */
export const OFFLINE = {
  providers: { openai: {}, anthropic: {}, gemini: {}, xai: {} },
  own_models: {},
  offline_words_per_second: 100_000,
  stall_ms: 60_000,
  guardedFetch: () => Promise.reject(new Error('nothing is to be sent')),
}

/** A worker's function that makes step 1 of a turn of agent `agent`. */
export function callModels(
  storage: TestStorage,
  models = new ModelRegistry(OFFLINE),
): (turnId: string, attempt?: number, model?: number) => Promise<ModelCallResult> {
  const shared = { ...storage, models, index: indexOf(storage), tools: [], log: pino({ enabled: false }) }
  const activities = modelCallActivities({
    ...shared,
    prepareStep: stepPrompts(shared),
    headStarts: undefined,
    startTurn: async () => undefined,
    startMemory: async () => undefined,
  })
  return (turn_id, attempt = 1, model = 0) => {
    const worker = new MockActivityEnvironment(
      {
        attempt,
        activityId: `model_${model}`,
        workflowExecution: { workflowId: workflowId.chatTurn(turn_id), runId: 'run' },
      },
      { logger: SILENT },
    )
    return worker.run(() =>
      activities.callModel({ turn_id, agent_id: 'agent', agent_version: 1, step: 1, model }),
    ) as Promise<ModelCallResult>
  }
}
