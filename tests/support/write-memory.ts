// The activity that writes memory, outside of Temporal, over a storage as a worker has it; and turns that leave something to remember.
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { memoryActivities } from '../../activities/memory/write-memories.ts'
import { workflowId } from '../../contracts/temporal.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { syncFileAgents } from '../../db/queries/agents.ts'
import { completeTurn } from '../../db/queries/turn-ends.ts'
import { findTurn } from '../../db/queries/turns.ts'
import type { Embedder } from '../../providers/embedder.ts'
import { hashingEmbedder } from '../../providers/hashing-embedder.ts'
import { ModelRegistry } from '../../providers/registry.ts'
import { OFFLINE } from './call-model.ts'
import type { TestStorage } from './dialects.ts'
import { insert, inTx } from './turn-rows.ts'
import { indexOf } from './search-index.ts'

const SILENT = new DefaultLogger('ERROR', () => undefined)

/** Adds the agent `agent` with long-term memory. */
export async function addRememberingAgent({ db, box }: TestStorage, memory = {}): Promise<void> {
  const input = {
    description: 'Helps.',
    system_message: 'Help.',
    model: { provider: 'offline', model: 'offline' } as const,
  }
  const config = resolveAgent({ ...input, memory: { long_term: true, ...memory } }, 'agent')
  await syncFileAgents(db, box, [{ id: 'agent', config, secrets: {}, file: 'agent.yaml' }])
}

/** A turn that was answered. @returns its id */
export async function say(
  storage: TestStorage,
  conversation_id: string,
  { content, reply = 'I see.', user_id = 'user' }: { content: string; reply?: string; user_id?: string },
): Promise<string> {
  const turn_id = await insert(storage, conversation_id, { content, user_id, remembers: true })
  const { message_id } = (await findTurn(storage.db, turn_id))!
  const usage = { input_tokens: 1, output_tokens: 1 }
  await inTx(storage, (tx) =>
    completeTurn(tx, { turn_id, conversation_id, message_id, content: reply, usage, finish_reason: 'stop' }),
  )
  return turn_id
}

/** A worker's function that drains the outbox of a conversation. */
export function memoryWriter(
  storage: TestStorage,
  embedder: Embedder = hashingEmbedder(),
  models: Pick<ModelRegistry, 'chainOf' | 'open'> = new ModelRegistry(OFFLINE),
) {
  const activities = memoryActivities({
    ...storage,
    index: indexOf(storage, embedder),
    models: models as ModelRegistry,
  })
  let runs = 0
  return (conversation_id: string, signal?: AbortSignal): Promise<{ written: number; left: boolean }> => {
    const id = workflowId.writeMemory(conversation_id)
    const info = { attempt: 1, activityId: '1', workflowExecution: { workflowId: id, runId: `run-${(runs += 1)}` } }
    const worker = new MockActivityEnvironment(info, { logger: SILENT })
    signal?.addEventListener('abort', () => worker.cancel())
    return worker.run(() =>
      activities.writeMemories({ conversation_id, agent_id: 'agent', user_hash: 'hash' }),
    ) as Promise<{
      written: number
      left: boolean
    }>
  }
}
