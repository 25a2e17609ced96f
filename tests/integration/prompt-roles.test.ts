// What a model is sent after turns that ended without a reply: messages that strict servers take, on both databases.
import { describe, expect, it } from 'vitest'
import { buildPrompt } from '../../activities/turn/prompt.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { insertStep } from '../../db/queries/steps.ts'
import { readStepInput } from '../../db/queries/turn-input.ts'
import { raiseFence } from '../../db/event-rows.ts'
import { factsOf } from '../../providers/catalog.ts'
import { toParams } from '../../providers/openai-request.ts'
import { checkModelRequest } from '../support/check-model-request.ts'
import { dialects, type TestStorage } from '../support/dialects.ts'
import { end, insert, inTx } from '../support/turn-rows.ts'

const model = { provider: 'openai' as const, model: 'gpt-4.1-mini' }
const config = resolveAgent({ description: 'Answers.', system_message: 'You answer.', model }, 'agent')
const known = factsOf(model, undefined, {})
const NO_REPLY = { role: 'assistant', content: '(This message got no reply.)' }

async function requestOf(storage: TestStorage, turnId: string, { step = 1, buffer = 20, passages = false } = {}) {
  const given = await readStepInput(storage.db, turnId, step, buffer)
  const passage = { document: 'a.pdf', page: 1, content: 'It is so.' } as never
  const input = { ...given, passages: passages ? [passage] : [] }
  const prompt = await buildPrompt(storage.db, storage.blobs, input, step, config, { ...model, known })
  return toParams({ ...prompt, model: model.model, tools: [] }).params
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    async function open() {
      const storage = await (await dialect.fresh()).open()
      const { id } = await createConversation(storage.db, { agent_id: 'agent', user_id: 'user' })
      return { storage, id }
    }

    it('a message without a reply is followed by a note in its place: cancelled, failed, superseded', async () => {
      const { storage, id } = await open()
      await end(storage, await insert(storage, id, { content: 'one' }), 'cancelled')
      await end(storage, await insert(storage, id, { content: 'two' }), 'failed')
      const superseded = await insert(storage, id, { content: 'three' })
      const turn = await insert(storage, id, { content: 'four', on_busy: 'interrupt' })
      await end(storage, superseded, 'cancelled')
      const request = await requestOf(storage, turn)
      expect(checkModelRequest(request)).toEqual([])
      expect(request.messages).toEqual([
        { role: 'system', content: 'You answer.' },
        { role: 'user', content: 'one' },
        NO_REPLY,
        { role: 'user', content: 'three' },
        NO_REPLY,
        { role: 'user', content: 'four' },
      ])
    })

    it('a message that still waits, because another one interrupts, is not shown before its own turn', async () => {
      const { storage, id } = await open()
      const active = await insert(storage, id, { content: 'one' })
      const waiting = await insert(storage, id, { content: 'two' })
      const interrupting = await insert(storage, id, { content: 'three', on_busy: 'interrupt' })
      await end(storage, active, 'cancelled')
      expect((await requestOf(storage, interrupting)).messages.slice(1)).toEqual([
        { role: 'user', content: 'one' },
        NO_REPLY,
        { role: 'user', content: 'three' },
      ])
      await end(storage, interrupting, 'completed')
      expect((await requestOf(storage, waiting)).messages.at(-1)).toEqual({ role: 'user', content: 'two' })
    })

    it('an empty reply, a cut history and passages leave the roles alternating', async () => {
      const { storage, id } = await open()
      await end(storage, await insert(storage, id, { content: 'one' }), 'completed')
      const turn = await insert(storage, id, { content: 'two' })
      for (const buffer of [0, 1, 2])
        for (const passages of [false, true])
          expect(checkModelRequest(await requestOf(storage, turn, { buffer, passages }))).toEqual([])
    })

    it('calls with empty, repeated or foreign ids get ids of their own, and arguments that are not JSON are wrapped', async () => {
      const { storage, id } = await open()
      const turn_id = await insert(storage, id)
      for (const step of [1, 2]) {
        const writer = { scope: `step_${step}`, fence: 1 }
        const ids = ['a', 'a', '']
        const calls = ids.map((provider_call_id, index) => ({
          call_id: `call_${step}_${index + 1}`,
          name: 'look up',
          server: '',
          provider_call_id,
          arguments: ['{"n":12345678901234567890}', '{"n', ''][index]!,
          refusal: '',
        }))
        const row = { turn_id, step, content: '', ...model, input_tokens: 1, output_tokens: 1 }
        await inTx(storage, async (tx) => {
          await raiseFence(tx, turn_id, writer)
          await insertStep(tx, row, calls, writer)
        })
      }
      const request = await requestOf(storage, turn_id, { step: 3 })
      expect(checkModelRequest(request)).toEqual([])
      const sent = JSON.stringify(request.messages)
      expect(sent).toContain('12345678901234567890')
      expect(sent).toContain(JSON.stringify(JSON.stringify({ not_json: '{"n' })).slice(1, -1))
    })
  })
}
