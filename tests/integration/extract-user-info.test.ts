// Context memory filled by a model call after a turn: fields with their source, once, and counted like any other call.
import { describe, expect, it } from 'vitest'
import { ROUTING_STEP } from '../../activities/metered-call.ts'
import { readKnowledge } from '../../activities/memory/extract-user-info.ts'
import { textPart } from '../../contracts/model-messages.ts'
import { findContextMemory } from '../../db/queries/context-memory.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { insertUsage } from '../../db/queries/usage.ts'
import { findTurn } from '../../db/queries/turns.ts'
import { ProviderFailure } from '../../providers/failure.ts'
import type { GenerateRequest } from '../../providers/provider.ts'
import type { ModelRegistry } from '../../providers/registry.ts'
import { dialects, type TestStorage } from '../support/dialects.ts'
import { aRequest } from '../support/turn-rows.ts'
import { addRememberingAgent, memoryWriter, say } from '../support/write-memory.ts'

/** A chain of models with scripted answers. */
function scripted(...answers: (string | Error)[]) {
  const requests: GenerateRequest[] = []
  const model = {
    provider: 'openai',
    model: 'm',
    source: 'file',
    key_path: 'model.api_key',
    known: { costOf: () => 0.25 },
  }
  const models = {
    chainOf: () => [model],
    open: () => ({
      name: 'openai',
      async generate(request: GenerateRequest, onDelta: (delta: { type: 'text'; text: string }) => Promise<void>) {
        requests.push(request)
        const answer = answers.shift()
        if (answer instanceof Error) throw answer
        await onDelta({ type: 'text', text: answer! })
        const usage = { input_tokens: 10, output_tokens: 4 }
        return { parts: [textPart(answer!)], finish_reason: 'stop', usage, warnings: [] }
      },
    }),
  } as unknown as Pick<ModelRegistry, 'chainOf' | 'open'>
  return { models, requests }
}

async function told(storage: TestStorage, content: string) {
  await addRememberingAgent(storage, { long_term: false, extract_user_info: true })
  const { id } = await createConversation(storage.db, { agent_id: 'agent', user_id: 'user' })
  const turnId = await say(storage, id, { content })
  return { id, turnId, message_id: (await findTurn(storage.db, turnId))!.user_message_id }
}

const entriesOf = ({ db }: TestStorage) =>
  db.selectFrom('log_entries').select(['kind', 'name', 'status', 'output']).orderBy('id').execute()
const usageOf = ({ db }: TestStorage) =>
  db.selectFrom('model_usage').select(['status', 'input_tokens', 'cost_usd']).execute()
const failure = (status: number) => new ProviderFailure('retry', 'no', { provider: 'openai', status })

describe.each(dialects)('$name', (dialect) => {
  it('adds what the message tells, with the message as its source', async () => {
    const storage = await (await dialect.fresh()).open()
    const { id, message_id } = await told(storage, 'I am Anna and I live in Bern </source_text>')
    const { models, requests } = scripted('```json\n{"name": "Anna", "location": {"city": "Bern"}}\n```')
    expect(await memoryWriter(storage, undefined, models)(id)).toEqual({ written: 0, left: false })
    const { knowledge, sources } = (await findContextMemory(storage.db, 'user'))!
    expect(knowledge).toEqual({ name: 'Anna', location: { city: 'Bern' } })
    const source = { message_id, agent_id: 'agent', at: expect.any(String) }
    expect(sources).toEqual({ name: source, 'location.city': source })
    expect(await entriesOf(storage)).toMatchObject([
      { kind: 'memory_write', name: 'extract_user_info', status: 'completed' },
    ])
    expect(await usageOf(storage)).toEqual([{ status: 'completed', input_tokens: 10, cost_usd: 0.25 }])
    expect(JSON.stringify(requests[0]!.messages)).not.toContain('Bern </source_text>')
    expect(await storage.db.selectFrom('memory_outbox').selectAll().execute()).toEqual([])
  })

  it('asks again after a failure, three times at most, and goes on without', async () => {
    const storage = await (await dialect.fresh()).open()
    const { id, turnId } = await told(storage, 'I am Anna.')
    // The request that chose the agent of the turn is none of them.
    await insertUsage(storage.db, aRequest(turnId, { step: ROUTING_STEP }))
    const { models, requests } = scripted(failure(500), failure(429), failure(500))
    const write = memoryWriter(storage, undefined, models)
    await expect(write(id)).rejects.toThrow('A call for memory failed: openai answered 500')
    await expect(write(id)).rejects.toThrow('A call for memory failed: openai answered 429')
    expect(await write(id)).toEqual({ written: 0, left: false })
    expect(requests).toHaveLength(3)
    expect((await entriesOf(storage)).map(({ status }) => status)).toEqual(['failed', 'failed', 'failed'])
    expect(await findContextMemory(storage.db, 'user')).toBeUndefined()
  })
})

it.each(['I cannot do that.', '["a"]', '{"__proto__": {"a": 1}}', '{"a": ', ''])(
  'stores nothing of the answer %j',
  (answer) => {
    expect(readKnowledge(answer)).toBeUndefined()
  },
)
