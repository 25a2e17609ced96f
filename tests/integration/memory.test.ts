// Long-term memory on both databases: from the transaction that ends a turn to the prompt of a turn in another conversation.
import { describe, expect, it } from 'vitest'
import { recall } from '../../activities/turn/recall.ts'
import { MessageVectors } from '../../activities/turn/recent-messages.ts'
import { createConversation, deleteConversation } from '../../db/queries/conversations.ts'
import { deleteMemories, listMemories } from '../../db/queries/memories.ts'
import { claimOutbox, listOutbox } from '../../db/queries/memory-outbox.ts'
import { storeRecall } from '../../db/queries/recalls.ts'
import { readStepInput } from '../../db/queries/turn-input.ts'
import { ProviderFailure } from '../../providers/failure.ts'
import { hashingEmbedder } from '../../providers/hashing-embedder.ts'
import { searchMemories } from '../../vectors/find-memories.ts'
import { dialects, type TestStorage } from '../support/dialects.ts'
import { indexOf } from '../support/search-index.ts'
import { end, insert, inTx } from '../support/turn-rows.ts'
import { addRememberingAgent, memoryWriter, say } from '../support/write-memory.ts'

const MEMORY = { buffer: 20, long_term: true }
const { signal } = new AbortController()
const embedder = hashingEmbedder()

/** A second worker: a process of its own on the same database. */
async function open(dialect: (typeof dialects)[number]) {
  const database = await dialect.fresh()
  const storage = await database.open()
  await addRememberingAgent(storage)
  const conversation = async (user_id = 'user') =>
    (await createConversation(storage.db, { agent_id: 'agent', user_id })).id
  return { database, storage, conversation }
}

/** What the first step of a turn with this message recalls. */
async function recallFor(
  storage: TestStorage,
  conversationId: string,
  content: string,
  more: { user_id?: string; buffer?: number } = {},
) {
  const { user_id = 'user', buffer = MEMORY.buffer } = more
  const turnId = await insert(storage, conversationId, { content, user_id })
  const given = await readStepInput(storage.db, turnId, 1, buffer)
  const resources = { ...storage, index: indexOf(storage, embedder), messageVectors: new MessageVectors(storage.db) }
  const recalled = await recall(resources, given, { ...MEMORY, buffer }, signal)
  await end(storage, turnId, 'cancelled')
  return { given, ...recalled }
}

async function search(storage: TestStorage, text: string, user_id = 'user', limit = 5) {
  const [vector] = await embedder.embed([text], signal)
  return searchMemories(
    { ...storage, index: indexOf(storage, embedder) },
    {
      agent_id: 'agent',
      user_id,
      text,
      model: embedder.model,
      vector: vector!,
      vector_weight: embedder.message_weight,
      limit,
    },
  )
}

const rowsOf = async ({ db }: TestStorage, table: 'chunks' | 'documents' | 'memories' | 'memory_outbox') =>
  Number(
    (
      await db
        .selectFrom(table)
        .select((eb) => eb.fn.countAll().as('n'))
        .executeTakeFirstOrThrow()
    ).n,
  )

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('recalls in another conversation what was said before, with who said it', async () => {
      const { storage, conversation } = await open(dialect)
      const first = await conversation()
      await say(storage, first, { content: 'My sister Ada keeps bees in Trondheim.', reply: 'Bees, how nice.' })
      expect(await rowsOf(storage, 'memory_outbox')).toBe(1)
      expect(await memoryWriter(storage)(first)).toEqual({ written: 2, left: false })
      expect(await rowsOf(storage, 'memory_outbox')).toBe(0)

      const { given, memories } = await recallFor(storage, await conversation(), 'Where does my sister keep her bees?')
      expect(given.remembered).toBe(true)
      expect(memories[0]).toMatchObject({
        role: 'user',
        content: 'My sister Ada keeps bees in Trondheim.',
        from: 'long_term',
      })
      expect(memories[0]!.similarity).toBeGreaterThan(0.2)
      expect(memories.every(({ similarity }) => similarity >= 0 && similarity <= 1)).toBe(true)
      expect((await search(storage, 'My sister Ada keeps bees in Trondheim.'))[0]!.similarity).toBeCloseTo(1, 2)
      const other = await recallFor(storage, await conversation('eve'), 'Where does my sister keep her bees?', {
        user_id: 'eve',
      })
      expect(other.memories).toEqual([])
    })

    it('leaves out messages that the prompt shows already, and those that were never accepted', async () => {
      const { storage, conversation } = await open(dialect)
      const same = await conversation()
      await say(storage, same, { content: 'The bees are in Trondheim.' })
      const refused = await insert(storage, same, { content: 'The bees are refused.', remembers: true })
      await end(storage, refused, 'failed')
      expect(await memoryWriter(storage)(same)).toEqual({ written: 2, left: false })
      expect((await recallFor(storage, same, 'Where are the bees?')).memories).toEqual([])
      const [elsewhere] = (await recallFor(storage, await conversation(), 'Where are the bees?')).memories
      expect(elsewhere).toMatchObject({ content: 'The bees are in Trondheim.' })
    })

    it('writes each memory once, by two workers at once and after an attempt that was interrupted', async () => {
      const { database, storage, conversation } = await open(dialect)
      const id = await conversation()
      for (let n = 0; n < 25; n += 1)
        await say(storage, id, { content: `Note ${n}: buy ${n} lemons.`, reply: `Noted ${n}.` })
      // Killed between the passages and the rows.
      const [row] = await listOutbox(storage.db, id, 1)
      await claimOutbox(storage.db, row!.turn_id)
      const other = await database.open()
      const drain = async (from: TestStorage) => {
        const write = memoryWriter(from)
        let written = 0
        for (let left = true; left;) {
          const drained = await write(id)
          written += drained.written
          left = drained.left
        }
        return written
      }
      const written = await Promise.all([drain(storage), drain(other)])
      expect(written[0]! + written[1]!).toBe(50)
      for (const table of ['memories', 'documents', 'chunks'] as const) expect(await rowsOf(storage, table)).toBe(50)
      expect(await rowsOf(storage, 'memory_outbox')).toBe(0)
      const entries = await storage.db.selectFrom('log_entries').select(['kind', 'stream_id']).execute()
      expect(entries.filter(({ kind }) => kind === 'memory_write')).toHaveLength(25)
    })

    it('asks an embedding server that fails again, and indexes the words of a text that it refuses', async () => {
      const { storage, conversation } = await open(dialect)
      const id = await conversation()
      await say(storage, id, { content: 'The spare key hangs behind the barometer.' })
      const failing = (status: number) => ({
        ...embedder,
        embed: () => Promise.reject(new ProviderFailure('retry', 'no', { provider: 'openai', status })),
      })
      await expect(memoryWriter(storage, failing(500))(id)).rejects.toThrow(
        'A call for memory failed: openai answered 500',
      )
      expect(await rowsOf(storage, 'memory_outbox')).toBe(1)
      expect(await rowsOf(storage, 'memories')).toBe(0)
      expect(await memoryWriter(storage, failing(400))(id)).toEqual({ written: 2, left: false })
      expect((await search(storage, 'barometer'))[0]).toMatchObject({ similarity: 0, role: 'user' })
    })

    it('forgets what a worker is just writing', async () => {
      const { storage, conversation } = await open(dialect)
      const id = await conversation()
      await say(storage, id, { content: 'Forget that I like marzipan.' })
      let forgotten = false
      const slow = {
        ...embedder,
        async embed(texts: readonly string[], stop: AbortSignal) {
          if (!forgotten) await inTx(storage, (tx) => deleteMemories(tx, { user_id: 'user', agent_id: 'agent' }))
          forgotten = true
          return embedder.embed([...texts], stop)
        },
      }
      expect(await memoryWriter(storage, slow)(id)).toEqual({ written: 0, left: false })
      for (const table of ['memories', 'documents', 'chunks', 'memory_outbox'] as const)
        expect(await rowsOf(storage, table)).toBe(0)
    })

    it('deletes the memories of a conversation with it, and lists the others newest first', async () => {
      const { storage, conversation } = await open(dialect)
      const [kept, deleted] = [await conversation(), await conversation()]
      const write = memoryWriter(storage)
      for (const id of [kept, deleted]) {
        await say(storage, id, { content: `I am in ${id}.` })
        await write(id)
      }
      // A turn of another conversation has recalled both.
      const recalling = await insert(storage, await conversation(), { content: 'Where are you?' })
      const memories = await search(storage, 'I am in')
      await inTx(storage, (tx) => storeRecall(tx, recalling, { passages: [], memories, about_user: undefined }))
      const { documents } = await inTx(storage, (tx) => deleteConversation(tx, deleted))
      expect(documents).toHaveLength(2)
      const recalled = (await readStepInput(storage.db, recalling, 1, 20)).memories
      expect(recalled.map(({ conversation_id }) => conversation_id)).toEqual([kept, kept])
      expect(recalled.map(({ content }) => content).join()).not.toContain(deleted)
      const owner = { agent_id: 'agent', user_id: 'user' }
      const listed = await listMemories(storage.db, owner, 10, undefined)
      expect(listed.map(({ role, content }) => [role, content])).toEqual([
        ['assistant', 'I see.'],
        ['user', `I am in ${kept}.`],
      ])
      expect(await listMemories(storage.db, owner, 10, listed[0]!.id)).toEqual(listed.slice(1))
      // The index still has the passages; without rows they are not shown.
      const found = await search(storage, `I am in ${deleted}.`)
      expect(found.map(({ content }) => content)).toContain(`I am in ${kept}.`)
      expect(found.map(({ content }) => content)).not.toContain(`I am in ${deleted}.`)
    })

    it('finds older messages of the conversation by meaning, in a new process too', async () => {
      const { database, storage, conversation } = await open(dialect)
      const id = await conversation()
      await say(storage, id, { content: 'The code of the gate is 4711, write it down.' })
      for (let n = 0; n < 6; n += 1)
        await say(storage, id, { content: `Weather of day ${n}?`, reply: `Rain on day ${n}.` })
      const restarted = await database.open()
      const { given, memories } = await recallFor(restarted, id, 'What was the code of the gate again?', { buffer: 4 })
      expect(given).toMatchObject({ crowded: true, remembered: false })
      expect(memories).toEqual([
        expect.objectContaining({ from: 'conversation', content: 'The code of the gate is 4711, write it down.' }),
      ])
    })
  })
}
