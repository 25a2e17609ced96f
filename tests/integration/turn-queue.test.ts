// The queue of a conversation in rows, on both databases; two storages on one database stand for two processes.
import { sql } from 'kysely'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { acceptMessage } from '../../api/services/chat.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { addEvents } from '../../db/event-rows.ts'
import { syncFileAgents } from '../../db/queries/agents.ts'
import { createConversation, lockConversation } from '../../db/queries/conversations.ts'
import { requestStop } from '../../db/queries/stop-requests.ts'
import { completeTurn } from '../../db/queries/turn-ends.ts'
import { MAX_WAITING } from '../../db/queries/admission.ts'
import { findPosition, type StartableTurn } from '../../db/queries/turn-queue.ts'
import { claimTurn } from '../../db/queries/turn-starts.ts'
import { findTurn, listTurns } from '../../db/queries/turns.ts'
import type { Storage } from '../../db/storage.ts'
import type { VectorStore } from '../../vectors/store.ts'
import { client, principal } from '../support/accepting.ts'
import { dialects, type TestDialect } from '../support/dialects.ts'
import { end, insert, inTx } from '../support/turn-rows.ts'

const log = pino({ level: 'silent' })
const times = (n: number) => Array.from({ length: n }, (_, index) => index)

async function open(dialect: TestDialect, limits = { turns_per_user: 1_000, turns_per_key: 1_000 }) {
  const database = await dialect.fresh()
  const [a, b] = [await database.open(), await database.open()]
  const config = resolveAgent({ id: 'agent', description: 'Helps.', system_message: 'Help.' }, 'agent')
  await syncFileAgents(a.db, a.box, [{ id: 'agent', config, secrets: {}, file: 'agent.yaml' }])
  const aConversation = async () => (await createConversation(a.db, { agent_id: 'agent', user_id: 'user' })).id
  const started: string[] = []
  const startTurn = async ({ id }: StartableTurn) => {
    started.push(id)
  }
  const send = (storage: Storage, conversation_id: string, on_busy?: 'queue' | 'reject' | 'interrupt') =>
    acceptMessage(
      {
        storage,
        client,
        log,
        startTurn,
        headStarts: undefined,
        vectors: {} as VectorStore,
        limits: { attachments: 1, content_bytes: 100, carried_bytes: 100, user_bytes: 0, ...limits },
      },
      principal,
      { agent_id: 'agent', request: { content: 'Hello', conversation_id, ...(on_busy && { on_busy }) }, route: 'chat' },
    )
  return { a, b, aConversation, send, started }
}

/** The unfinished turns of a conversation, the active one first and the others in the order of their ids. */
async function unfinished({ db }: Storage, conversationId: string) {
  const rows = await db
    .selectFrom('turns')
    .select(['id', 'activated_at', 'status'])
    .where('conversation_id', '=', conversationId)
    .where('finished_at', 'is', null)
    .orderBy('id')
    .execute()
  const active = rows.filter(({ activated_at }) => activated_at !== null).map(({ id }) => id)
  const waiting = rows.filter(({ activated_at }) => activated_at === null)
  return { active, waiting: waiting.map(({ id }) => id), statuses: new Set(waiting.map(({ status }) => status)) }
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('has one active turn after concurrent inserts of two processes, and activates the others in order', async () => {
      const { a, b, aConversation } = await open(dialect)
      const conversation = await aConversation()
      const ids = await Promise.all(times(20).map((n) => insert(n % 2 ? a : b, conversation)))
      const { active, waiting, statuses } = await unfinished(a, conversation)
      expect([active.length, waiting.length, [...statuses]]).toEqual([1, 19, ['queued']])
      expect([...active, ...waiting].toSorted()).toEqual(ids.toSorted())
      const order = [...active]
      for (let next = active[0]; next !== undefined;) {
        next = (await end(order.length % 2 ? a : b, next, 'completed'))?.next?.id
        if (next !== undefined) order.push(next)
      }
      expect(order).toEqual([...active, ...waiting])
    })

    it('activates a turn that interrupts before turns that wait longer', async () => {
      const { a, aConversation, send, started } = await open(dialect)
      const conversation = await aConversation()
      const [active, queued] = [await send(a, conversation), await send(a, conversation)]
      const interrupting = await send(a, conversation, 'interrupt')
      expect(interrupting).toMatchObject({ position: 1, waits_for: active.turn_id })
      expect(await findPosition(a.db, { id: queued.turn_id, conversation_id: conversation })).toEqual({
        position: 2,
        waits_for: active.turn_id,
      })
      expect(await findTurn(a.db, active.turn_id)).toMatchObject({ cancel_requested_at: expect.any(String) })
      const first = await end(a, active.turn_id, 'completed')
      expect([first?.status, first?.next?.id]).toEqual(['cancelled', interrupting.turn_id])
      expect((await end(a, interrupting.turn_id, 'completed'))?.next?.id).toBe(queued.turn_id)
      expect(started).toEqual([active.turn_id])
    })

    it('cancels a waiting turn that interrupts when a newer one does', async () => {
      const { a, aConversation, send } = await open(dialect)
      const conversation = await aConversation()
      await send(a, conversation)
      const older = await send(a, conversation, 'interrupt')
      const newer = await send(a, conversation, 'interrupt')
      expect((await findTurn(a.db, older.turn_id))?.status).toBe('cancelled')
      expect((await unfinished(a, conversation)).waiting).toEqual([newer.turn_id])
    })

    it('reports in the receipt the position of a message, and refuses the one after the hundredth waiting one', async () => {
      const { a, b, aConversation, send } = await open(dialect)
      const conversation = await aConversation()
      const active = await send(a, conversation)
      expect(active).toMatchObject({ position: 0 })
      expect(active).not.toHaveProperty('waits_for')
      const receipts = []
      for (const n of times(MAX_WAITING)) receipts.push(await send(n % 2 ? a : b, conversation))
      expect(receipts.map(({ position }) => position)).toEqual(times(MAX_WAITING).map((n) => n + 1))
      expect(new Set(receipts.map(({ waits_for }) => waits_for))).toEqual(new Set([active.turn_id]))
      await expect(send(a, conversation)).rejects.toMatchObject({ code: 'rate_limited' })
      await expect(send(a, conversation, 'reject')).rejects.toMatchObject({ code: 'conflict' })
      expect(await findPosition(b.db, { id: receipts[4]!.turn_id, conversation_id: conversation })).toEqual({
        position: 5,
        waits_for: active.turn_id,
      })
      expect((await listTurns(a.db, { limit: 1_000 })).length).toBe(MAX_WAITING + 1)
    })

    it(
      'activates exactly one next turn at each end, while two processes insert more',
      { timeout: 120_000 },
      async () => {
        const { a, b, aConversation } = await open(dialect)
        const conversation = await aConversation()
        const inserted = [await insert(a, conversation)]
        const activated = [...inserted]
        for (const round of times(200)) {
          const active = activated.at(-1)!
          // Sometimes nothing waits at the end, sometimes one turn does.
          const inserts = times([1, 2, 1, 0][round % 4]!).map((n) => insert(n % 2 ? b : a, conversation))
          const [ended, ...more] = await Promise.all([end(round % 2 ? a : b, active, 'completed'), ...inserts])
          const now = await unfinished(a, conversation)
          expect(now.active).toHaveLength(1)
          // Nothing waited at the end: the turn inserted after it is active from the beginning.
          if (ended!.next) expect(now.active).toEqual([ended!.next.id])
          else expect(more).toContain(now.active[0])
          activated.push(now.active[0]!)
        }
        expect(new Set(activated).size).toBe(activated.length)
        for (const id of activated.slice(0, -1)) expect((await findTurn(a.db, id))?.status).toBe('completed')
      },
    )

    it('never completes a turn after a successful stop request', { timeout: 120_000 }, async () => {
      const { a, b, aConversation } = await open(dialect)
      const conversation_id = await aConversation()
      const outcomes = { stopped: 0, refused: 0 }
      for (const round of times(500)) {
        const turn_id = await insert(a, conversation_id)
        await inTx(a, async (tx) => {
          const claimed = await claimTurn(tx, turn_id, 'run')
          await addEvents(tx, turn_id, undefined, claimed!.additions)
        })
        const { message_id } = (await findTurn(a.db, turn_id))!
        const answer = {
          turn_id,
          conversation_id,
          message_id,
          content: 'Hi',
          usage: { input_tokens: 1, output_tokens: 1 },
          finish_reason: 'stop' as const,
        }
        // Either begins some statements after the other.
        const complete = async () => {
          for (const _ of times(round % 3)) await sql`select 1`.execute(a.db)
          return inTx(a, async (tx) => {
            await lockConversation(tx, conversation_id)
            return completeTurn(tx, answer)
          })
        }
        const stop = async () => {
          for (const _ of times(round % 8)) await sql`select 1`.execute(b.db)
          await requestStop(b.db, 'turn', turn_id)
        }
        const [ended, stopped] = await Promise.all([
          complete(),
          stop().then(
            () => 'stopped' as const,
            () => 'refused' as const,
          ),
        ])
        outcomes[stopped] += 1
        const { status } = (await findTurn(b.db, turn_id))!
        expect([ended?.status, status]).toEqual(Array(2).fill(stopped === 'stopped' ? 'cancelled' : 'completed'))
      }
      // Both orders have been seen.
      expect(outcomes.stopped).toBeGreaterThan(0)
      expect(outcomes.refused).toBeGreaterThan(0)
    })

    it('counts active turns against the limits, not those that wait for others or for a person', async () => {
      const { a, b, aConversation, send } = await open(dialect, { turns_per_user: 2, turns_per_key: 1_000 })
      const [one, two, three] = [await aConversation(), await aConversation(), await aConversation()]
      const first = await send(a, one)
      await send(b, one)
      await send(a, one)
      await send(a, two)
      await expect(send(b, three)).rejects.toMatchObject({ code: 'rate_limited' })
      // A message that waits begins nothing.
      await send(b, two)
      await a.db.updateTable('turns').set({ status: 'awaiting_approval' }).where('id', '=', first.turn_id).execute()
      expect(await send(b, three)).toMatchObject({ position: 0 })
      await expect(send(b, await aConversation())).rejects.toMatchObject({ code: 'rate_limited' })
    })

    it('counts the turns of a key as it does those of a user', async () => {
      const { a, aConversation, send } = await open(dialect, { turns_per_user: 1_000, turns_per_key: 1 })
      const { turn_id } = await send(a, await aConversation())
      await expect(send(a, await aConversation())).rejects.toMatchObject({ code: 'rate_limited' })
      await end(a, turn_id, 'completed')
      expect(await send(a, await aConversation())).toMatchObject({ position: 0 })
    })
  })
}
