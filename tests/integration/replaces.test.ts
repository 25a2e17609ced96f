// Messages that replace earlier ones: what is accepted, and who reads what was replaced, on both databases.
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { acceptMessage } from '../../api/services/chat.ts'
import { memoryIdOf } from '../../contracts/memory.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { getAgentStats, syncFileAgents } from '../../db/queries/agents.ts'
import { createConversation, findConversation, listMessages, listOlder } from '../../db/queries/conversations.ts'
import { insertMemories, listMemories } from '../../db/queries/memories.ts'
import { readStepInput } from '../../db/queries/turn-input.ts'
import { findTurn } from '../../db/queries/turns.ts'
import type { VectorStore } from '../../vectors/store.ts'
import { client, principal } from '../support/accepting.ts'
import { dialects, type TestDialect } from '../support/dialects.ts'
import { end, inTx } from '../support/turn-rows.ts'

const log = pino({ level: 'silent' })

interface Sent {
  replaces?: string
  on_busy?: 'queue' | 'reject' | 'interrupt'
  key?: string
  conversation_id?: string | undefined
}

async function open(dialect: TestDialect) {
  const storage = await (await dialect.fresh()).open()
  const { db } = storage
  const memory = { long_term: true }
  const config = resolveAgent({ id: 'agent', description: 'Helps.', system_message: 'Help.', memory }, 'agent')
  await syncFileAgents(db, storage.box, [{ id: 'agent', config, secrets: {}, file: 'agent.yaml' }])
  const aConversation = async () => (await createConversation(db, { agent_id: 'agent', user_id: 'user' })).id
  const conversation = await aConversation()
  const discarded: string[] = []
  const engine = { away: false }
  const context = {
    storage,
    client,
    log,
    headStarts: undefined,
    vectors: { discard: async (id: string) => void discarded.push(id) } as unknown as VectorStore,
    limits: {
      attachments: 1,
      content_bytes: 100,
      carried_bytes: 100,
      user_bytes: 0,
      turns_per_user: 100,
      turns_per_key: 100,
    },
    startTurn: async () => {
      if (engine.away) throw new Error('Temporal is away')
    },
  }
  const send = async (content: string, { key: idempotency_key, ...more }: Sent = {}) => {
    const { conversation_id = 'conversation_id' in more ? undefined : conversation, ...others } = more
    const request = { content, ...(conversation_id && { conversation_id }), ...others }
    const accepted = await acceptMessage(context, principal, {
      agent_id: 'agent',
      request,
      idempotency_key,
      route: 'r',
    })
    const { user_message_id } = (await findTurn(db, accepted.turn_id))!
    return { ...accepted, asked: user_message_id }
  }
  /** A message that is answered at once. */
  const say = async (content: string, more: Sent = {}) => {
    const sent = await send(content, more)
    await end(storage, sent.turn_id, 'completed')
    return sent
  }
  const page = async () => {
    const messages = await listMessages(db, conversation, { limit: 100 })
    return messages.flatMap(({ role, content }) => (role === 'user' ? [content] : [])).toReversed()
  }
  const earlierOf = async (turnId: string) =>
    (await readStepInput(db, turnId, 1, 20)).earlier.flatMap(({ role, content }) => (role === 'user' ? [content] : []))
  return { storage, db, aConversation, conversation, discarded, engine, send, say, page, earlierOf }
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('leaves what is replaced out of prompts, pages, older messages, titles and statistics, and keeps it marked', async () => {
      const { db, conversation, say, send, page, earlierOf } = await open(dialect)
      const [first, second] = [await say('first'), await say('second')]
      await say('third')
      const edited = await send('second, edited', { replaces: second.asked })
      expect(await earlierOf(edited.turn_id)).toEqual(['first'])
      expect(await page()).toEqual(['first', 'second, edited'])
      expect((await getAgentStats(db, 'agent')).total_messages).toBe(3)
      expect((await listOlder(db, conversation, 'msg_~', 10)).map(({ content }) => content)).toEqual([
        'first',
        'second, edited',
      ])
      const kept = await listMessages(db, conversation, { limit: 100, with_superseded: true })
      expect(kept.filter(({ superseded }) => superseded)).toHaveLength(4)
      expect(await findTurn(db, second.turn_id)).toMatchObject({ superseded_by: edited.turn_id, status: 'completed' })
      await send('begun again', { replaces: first.asked, on_busy: 'interrupt' })
      expect(await page()).toEqual(['begun again'])
      expect((await findConversation(db, conversation))?.title).toBe('begun again')
    })

    it('begins no conversation with a message that is refused', async () => {
      const { db, say, send } = await open(dialect)
      const sent = await say('hello')
      const count = async () => (await db.selectFrom('conversations').select('id').execute()).length
      expect(await count()).toBe(1)
      const refused = send('again', { replaces: sent.asked, conversation_id: undefined })
      await expect(refused).rejects.toMatchObject({ code: 'not_found' })
      expect(await count()).toBe(1)
      const many = Array.from({ length: 6 }, (_, n) => send(`${n}`, { conversation_id: undefined }))
      const begun = (await Promise.all(many)).map(({ conversation_id }) => conversation_id)
      expect(new Set(begun).size).toBe(1)
      expect(await count()).toBe(2)
    })

    it('refuses unknown messages, those of other conversations, replies, and what was replaced already', async () => {
      const { storage, db, aConversation, say, send } = await open(dialect)
      const sent = await say('hello')
      const refusal = (more: Sent) => send('again', more).catch((error: { code?: string }) => error.code)
      expect(await refusal({ replaces: `msg_${'0'.repeat(32)}` })).toBe('not_found')
      expect(await refusal({ replaces: sent.asked, conversation_id: await aConversation() })).toBe('not_found')
      expect(await refusal({ replaces: sent.message_id })).toBe('bad_request')
      const again = await send('again', { replaces: sent.asked, key: 'key' })
      await end(storage, again.turn_id, 'completed')
      expect(await refusal({ replaces: sent.asked })).toBe('conflict')
      expect((await send('again', { replaces: sent.asked, key: 'key' })).turn_id).toBe(again.turn_id)
      expect((await findTurn(db, again.turn_id))?.superseded_by).toBeNull()
    })

    it('a message that is being answered follows on_busy; messages that wait after it are cancelled', async () => {
      const { storage, db, send, earlierOf, page } = await open(dialect)
      const active = await send('slow')
      const waiting = await send('later')
      await expect(send('edited', { replaces: active.asked, on_busy: 'reject' })).rejects.toMatchObject({
        code: 'conflict',
      })
      expect((await findTurn(db, active.turn_id))?.superseded_by).toBeNull()
      const queued = await send('edited', { replaces: active.asked, on_busy: 'queue' })
      expect(queued).toMatchObject({ position: 1, waits_for: active.turn_id })
      expect((await findTurn(db, waiting.turn_id))?.status).toBe('cancelled')
      const interrupting = await send('edited twice', { replaces: queued.asked, on_busy: 'interrupt' })
      expect(interrupting).toMatchObject({ position: 1, waits_for: active.turn_id })
      expect((await findTurn(db, queued.turn_id))?.status).toBe('cancelled')
      const ended = await end(storage, active.turn_id, 'completed')
      expect(ended).toMatchObject({ status: 'cancelled', next: { id: interrupting.turn_id } })
      expect(await earlierOf(interrupting.turn_id)).toEqual([])
      expect(await page()).toEqual(['edited twice'])
    })

    it('a turn that is replaced while it runs keeps its own earlier messages in its prompts, and is not remembered', async () => {
      const { storage, db, say, send, earlierOf } = await open(dialect)
      const first = await say('first')
      const running = await send('second')
      await send('edited', { replaces: first.asked, on_busy: 'queue' })
      expect(await earlierOf(running.turn_id)).toEqual(['first'])
      expect((await end(storage, running.turn_id, 'completed'))?.remembers).toBeUndefined()
      expect(await db.selectFrom('memory_outbox').select('turn_id').execute()).toEqual([])
    })

    it('forgets the memories of what is replaced, also those that are still to be written', async () => {
      const { storage, db, conversation, say, send, discarded } = await open(dialect)
      const owner = { agent_id: 'agent', user_id: 'user' }
      const [first, second] = [await say('first'), await say('second')]
      await say('third')
      const facts = { ...owner, conversation_id: conversation, role: 'user' as const, said_at: '2026' }
      const ids = [first.asked, second.asked]
      await inTx(storage, (tx) =>
        insertMemories(
          tx,
          ids.map((message_id) => ({ ...facts, id: memoryIdOf(message_id), message_id })),
        ),
      )
      await send('edited', { replaces: second.asked })
      expect((await listMemories(db, owner, 10, undefined)).map(({ content }) => content)).toEqual(['first'])
      expect(discarded).toEqual([memoryIdOf(second.asked)])
      const left = await db.selectFrom('memory_outbox').select('turn_id').execute()
      expect(left).toEqual([{ turn_id: first.turn_id }])
    })

    it('a message that is never accepted restores what it replaced, and may be sent again', async () => {
      const { storage, db, say, send, engine, page, discarded } = await open(dialect)
      const sent = await say('first')
      engine.away = true
      await expect(send('edited', { replaces: sent.asked, key: 'key' })).rejects.toThrow()
      expect(await page()).toEqual(['edited'])
      const [lost] = await db.selectFrom('turns').select('id').where('accepted_at', 'is', null).execute()
      await end(storage, lost!.id, 'failed')
      expect((await findTurn(db, sent.turn_id))?.superseded_by).toBeNull()
      expect(
        await db.selectFrom('memory_outbox').select('turn_id').where('turn_id', '=', sent.turn_id).execute(),
      ).toHaveLength(1)
      expect(discarded).toEqual([])
      engine.away = false
      const again = await send('edited', { replaces: sent.asked, key: 'key' })
      expect((await findTurn(db, sent.turn_id))?.superseded_by).toBe(again.turn_id)
    })

    it('a message that is never accepted does not restore what another one has replaced meanwhile', async () => {
      const { storage, db, engine, say, send, page } = await open(dialect)
      const [first, second] = [await say('first'), await say('second')]
      engine.away = true
      await expect(send('second, edited', { replaces: second.asked })).rejects.toThrow()
      await expect(send('second, again', { replaces: second.asked })).rejects.toMatchObject({ code: 'unavailable' })
      engine.away = false
      await send('begun again', { replaces: first.asked })
      const [lost] = await db
        .selectFrom('turns')
        .select('id')
        .where('accepted_at', 'is', null)
        .where('activated_at', 'is not', null)
        .execute()
      await end(storage, lost!.id, 'failed')
      expect(await page()).toEqual(['begun again'])
    })
  })
}
