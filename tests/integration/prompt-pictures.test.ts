// Which pictures a request shows: those of tools and attachments, also of earlier messages, within the model's limits; the others are named.
import { describe, expect, it } from 'vitest'
import { buildPrompt } from '../../activities/turn/prompt.ts'
import { variantName } from '../../activities/ingest/media-rows.ts'
import { newId } from '../../contracts/ids.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { findTurn } from '../../db/queries/turns.ts'
import { readStepInput } from '../../db/queries/turn-input.ts'
import { factsOf, MAX_PICTURES } from '../../providers/catalog.ts'
import { toParams } from '../../providers/openai-request.ts'
import { checkModelRequest } from '../support/check-model-request.ts'
import { dialects, type TestStorage } from '../support/dialects.ts'
import { end, insert } from '../support/turn-rows.ts'

const named = (model: string) => ({ provider: 'openai' as const, model })
const known = (model: string) => ({ ...named(model), known: factsOf(named(model), undefined, {}) })
const SEEING = known('gpt-4.1-mini')
const BLIND = known('o3-mini')
const config = resolveAgent(
  { description: 'Answers.', system_message: 'You answer.', model: named('gpt-4.1-mini') },
  'agent',
)
const variant = variantName(SEEING.known.pictures!)

/** Attaches a picture in so many parts. */
async function attach({ db, blobs }: TestStorage, turnId: string, name: string, parts = 1): Promise<string> {
  const { conversation_id, user_message_id } = (await findTurn(db, turnId))!
  const sha256 = await blobs.put('user', Buffer.from(name))
  const made = Array.from({ length: parts }, () => ({ name: variant, file_id: 'f', sha256, media_type: 'image/png' }))
  const media = JSON.stringify({ result: {}, metadata: { width: 3, height: 2 }, made })
  const rest = { agent_id: 'agent', conversation_id, turn_id: turnId, user_id: 'user', options: '{}', media }
  await db
    .insertInto('jobs')
    .values({
      ...rest,
      id: newId('job'),
      kind: 'image',
      status: 'completed',
      key_id: null,
      file_id: 'f',
      name,
      sha256,
      knowledge_id: null,
      document_id: 'd',
      generation: 1,
      collection: null,
      run: 1,
      run_id: null,
      pages: 1,
      stage: 'publishing',
      done: 1,
      total: 1,
      stage_started_at: null,
      cancel_requested_at: null,
      result: null,
      error: null,
      created_at: new Date().toISOString(),
      started_at: null,
      finished_at: null,
    } as never)
    .execute()
  const attachments = JSON.stringify([{ file_id: 'f', name, type: 'image/png', size: 1, job_id: 'j' }])
  await db.updateTable('messages').set({ attachments }).where('id', '=', user_message_id).execute()
  return sha256
}

async function requestOf({ db, blobs }: TestStorage, turnId: string, model = SEEING) {
  const prompt = await buildPrompt(db, blobs, await readStepInput(db, turnId, 1, 20), 1, config, model)
  const { params } = toParams({ ...prompt, model: model.model, tools: [] })
  expect(checkModelRequest(params)).toEqual([])
  return params.messages.slice(1)
}

const attached = (name: string, note = '') => `[Attached: ${name}, a picture of 3 × 2 pixels]${note}`
const shown = (name: string) => ({
  type: 'image_url',
  image_url: { url: `data:image/png;base64,${Buffer.from(name).toString('base64')}` },
})
const NO_ROOM = ` [Not shown: a request has room for ${MAX_PICTURES} pictures, the latest.]`

for (const dialect of dialects) {
  describe(dialect.name, () => {
    async function open() {
      const storage = await (await dialect.fresh()).open()
      const { id } = await createConversation(storage.db, { agent_id: 'agent', user_id: 'user' })
      const first = await insert(storage, id, { content: 'one' })
      return { storage, id, first }
    }

    it('a picture of an earlier message is shown and named, to a model that sees', async () => {
      const { storage, id, first } = await open()
      await attach(storage, first, 'a.png')
      await end(storage, first, 'cancelled')
      const turn = await insert(storage, id, { content: 'two' })
      expect((await requestOf(storage, turn))[0]!.content).toEqual([
        { type: 'text', text: `one\n\n${attached('a.png')}` },
        shown('a.png'),
      ])
      expect((await requestOf(storage, turn, BLIND))[0]!.content).toBe(`one\n\n${attached('a.png')}`)
    })

    it('the latest pictures are shown, those without room are named', async () => {
      const { storage, id, first } = await open()
      await attach(storage, first, 'old.png', 2)
      await end(storage, first, 'cancelled')
      const second = await insert(storage, id, { content: '' })
      await attach(storage, second, 'middle.png', 1)
      await end(storage, second, 'cancelled')
      const turn = await insert(storage, id, { content: 'three' })
      await attach(storage, turn, 'new.png', MAX_PICTURES - 1)
      const [one, , two, , three] = await requestOf(storage, turn)
      expect(one!.content).toBe(`one\n\n${attached('old.png', NO_ROOM)}`)
      expect(two!.content).toEqual([{ type: 'text', text: attached('middle.png') }, shown('middle.png')])
      expect(three!.content).toHaveLength(MAX_PICTURES)
    })

    it('a picture that has been deleted is named', async () => {
      const { storage, id, first } = await open()
      await storage.blobs.delete('user', await attach(storage, first, 'a.png'))
      await end(storage, first, 'cancelled')
      const turn = await insert(storage, id, { content: 'two' })
      expect((await requestOf(storage, turn))[0]!.content).toContain('[Not shown: it has been deleted.]')
    })
  })
}
