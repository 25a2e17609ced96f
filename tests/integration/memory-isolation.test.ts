// Two users with a thousand memories each, on both databases: none of one is ever found by the other.
import { Value } from '@sinclair/typebox/value'
import { describe, expect, it } from 'vitest'
import { memoryIdOf, memoryScope } from '../../contracts/memory.ts'
import { newId } from '../../contracts/ids.ts'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { insertMemories } from '../../db/queries/memories.ts'
import { hashingEmbedder } from '../../providers/hashing-embedder.ts'
import { searchMemories } from '../../vectors/find-memories.ts'
import { dialects, type TestStorage } from '../support/dialects.ts'
import { indexOf } from '../support/search-index.ts'
import { inTx } from '../support/turn-rows.ts'

const MEMORIES = 1_000
/** Written at once. */
const BATCH = 100
const { signal } = new AbortController()
const embedder = hashingEmbedder()
const { model } = embedder

/** Both users say the same but for their own mark. */
const sayingOf = (mark: string, n: number) => `Item ${n} of the stock list is the ${mark} valve in hall ${n % 7}.`

async function fill(storage: TestStorage, user_id: string, mark: string): Promise<void> {
  const { db, vectors } = storage
  const { id: conversation_id } = await createConversation(db, { agent_id: 'agent', user_id })
  await vectors.serving(embedder)
  for (let from = 0; from < MEMORIES; from += BATCH) {
    const said = Array.from({ length: BATCH }, (_, index) => {
      return { message_id: newId('msg'), turn_id: newId('turn'), content: sayingOf(mark, from + index) }
    })
    const embedded = await embedder.embed(
      said.map(({ content }) => content),
      signal,
    )
    const said_at = new Date().toISOString()
    await inTx(storage, (tx) =>
      insertMemories(
        tx,
        said.map(({ message_id }) => {
          const id = memoryIdOf(message_id)
          return { id, agent_id: 'agent', user_id, conversation_id, message_id, role: 'user', said_at }
        }),
      ),
    )
    await Promise.all(
      said.map(async ({ message_id, content }, index) => {
        const document_id = memoryIdOf(message_id)
        const document = { model, agent_id: 'agent', scope: memoryScope(user_id), document_id, generation: 1 }
        await vectors.addChunks(document, [{ text: content, page: 1, position: 0, vector: embedded[index]! }])
        await vectors.publish(document_id, 1)
      }),
    )
  }
}

async function found(storage: TestStorage, user_id: string, text: string, agent_id = 'agent'): Promise<string[]> {
  const [vector] = await embedder.embed([text], signal)
  const hits = await searchMemories(
    { ...storage, index: indexOf(storage, embedder) },
    { agent_id, user_id, text, model, vector: vector!, vector_weight: embedder.message_weight, limit: 50 },
  )
  return hits.map(({ content }) => content)
}

describe.each(dialects)('$name', (dialect) => {
  it('finds only what its own user said, whatever the ids are', { timeout: 120_000 }, async () => {
    const storage = await (await dialect.fresh()).open()
    // Latin and Cyrillic: they look the same.
    const [latin, cyrillic] = ['anna', '\u0430nna']
    await fill(storage, latin, 'brass')
    await fill(storage, cyrillic, 'steel')
    for (const question of ['steel valve', 'brass valve', sayingOf('steel', 500), sayingOf('brass', 1), 'valve']) {
      const [own, other] = [await found(storage, latin, question), await found(storage, cyrillic, question)]
      expect(own.length).toBeGreaterThan(0)
      expect(other.length).toBeGreaterThan(0)
      expect(own.filter((content) => !content.includes('brass'))).toEqual([])
      expect(other.filter((content) => !content.includes('steel'))).toEqual([])
    }
    // A nearest neighbour of the other's memory is the own memory of the same item, not a hole in the list.
    expect((await found(storage, latin, sayingOf('steel', 500)))[0]).toBe(sayingOf('brass', 500))
    const adversarial = [
      '',
      '../anna',
      `user/${latin}`,
      'ann',
      'anna ',
      'Anna',
      "anna' or '1'='1",
      '%',
      'a'.repeat(10_240),
    ]
    for (const user of adversarial) expect(await found(storage, user, 'brass valve'), user.slice(0, 20)).toEqual([])
    expect(await found(storage, latin, 'brass valve', 'another-agent')).toEqual([])
    expect(await found(storage, latin, 'brass valve', `agent/user/${latin}`)).toEqual([])
  })
})

it('refuses ids of users that could be taken for others', () => {
  for (const id of ['', '../anna', 'a/b', ' anna', 'anna ', 'an\u0000na', 'an\nna', 'a'.repeat(10_240)])
    expect(Value.Check(UserIdSchema, id), JSON.stringify(id.slice(0, 20))).toBe(false)
  for (const id of ['anna', '\u0430nna', 'anna@example.test', '安娜', "anna' or '1'='1"])
    expect(Value.Check(UserIdSchema, id)).toBe(true)
})
