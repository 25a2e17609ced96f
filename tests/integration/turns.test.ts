// The life of a turn in rows, on both databases; two storages on one database stand for two processes.
import { describe, expect, it } from 'vitest'
import type { StoredEvent } from '../../contracts/events.ts'
import { TextWriter } from '../../db/text-writer.ts'
import { addEvents, raiseFence, readAllEvents, readHead } from '../../db/event-rows.ts'
import {
  createConversation,
  deleteConversation,
  findConversation,
  listMessages,
} from '../../db/queries/conversations.ts'
import { ensureDefaultConversation } from '../../db/queries/default-conversations.ts'
import { insertFile } from '../../db/queries/files.ts'
import { findIdempotent, insertIdempotent } from '../../db/queries/idempotency.ts'
import { insertJob } from '../../db/queries/jobs.ts'
import { endLogEntry, listLogOfTurn, startLogEntry } from '../../db/queries/log.ts'
import { forgetOld } from '../../db/queries/retention.ts'
import {
  findStep,
  finishToolCall,
  insertStep,
  listSteps,
  startToolCall,
  type NewToolCall,
} from '../../db/queries/steps.ts'
import { findToStop, requestStop } from '../../db/queries/stop-requests.ts'
import { admit } from '../../db/queries/admission.ts'
import { findUnfinishedOf, listActive } from '../../db/queries/turn-queue.ts'
import { claimTurn, markAccepted, type Claimed } from '../../db/queries/turn-starts.ts'
import { findTurn, insertTurn, listTurns, lockTurn } from '../../db/queries/turns.ts'
import { completeUsage, insertUsage, totalUsage } from '../../db/queries/usage.ts'
import type { Storage } from '../../db/storage.ts'
import { StopRequested } from '../../db/stops.ts'
import { dialects } from '../support/dialects.ts'
import { aRequest, aTurn, end, insert, inTx } from '../support/turn-rows.ts'

const times = (n: number) => Array.from({ length: n }, (_, index) => index)
const types = (events: StoredEvent[]) => events.map(({ type }) => type)

/** Claims a turn as the first activity of its workflow does, with its events. */
const claim = (storage: Storage, id: string): Promise<Claimed | undefined> =>
  inTx(storage, async (tx) => {
    const claimed = await claimTurn(tx, id, 'run')
    if (claimed && claimed.additions.length > 0) await addEvents(tx, id, undefined, claimed.additions)
    return claimed
  })

const storeStep = (storage: Storage, turn_id: string, calls: NewToolCall[]) =>
  inTx(storage, async (tx) => {
    const writer = { scope: 'step_1', fence: 1 }
    await raiseFence(tx, turn_id, writer)
    const step = { turn_id, step: 1, content: '', provider: 'p', model: 'm', input_tokens: 11, output_tokens: 5 }
    expect(await insertStep(tx, step, calls, writer)).toBe(true)
  })

for (const dialect of dialects) {
  describe(dialect.name, () => {
    const open = async () => {
      const database = await dialect.fresh()
      const [a, b] = [await database.open(), await database.open()]
      const conversation = await createConversation(a.db, { agent_id: 'agent', user_id: 'user' })
      return { a, b, conversation: conversation.id }
    }

    it('goes from pending to completed, each change once, with its events', async () => {
      const { a, b, conversation } = await open()
      const id = await insert(a, conversation)
      expect(types((await inTx(a, (tx) => markAccepted(tx, id))) ?? [])).toEqual(['accepted'])
      expect(await inTx(b, (tx) => markAccepted(tx, id))).toEqual([])
      expect(await claim(b, id)).toMatchObject({
        additions: [{ event: { type: 'message_start', data: { conversation_id: conversation, agent_id: 'agent' } } }],
      })
      expect((await claim(a, id))?.additions).toEqual([])
      const writer = { scope: 'step_1', fence: 1 }
      await b.events.begin(id, writer)
      const text = new TextWriter(b.events, id, writer, 1)
      await text.write('Good day')
      await text.flush()
      expect(types((await end(b, id, 'completed'))?.events ?? [])).toEqual(['message_end'])
      expect(await end(a, id, 'failed')).toBeUndefined()
      expect(await claim(b, id)).toBeUndefined()
      expect(types(await readAllEvents(a.db, id))).toEqual(['accepted', 'message_start', 'content', 'message_end'])
      expect(await findTurn(a.db, id)).toMatchObject({ status: 'completed', run_id: 'run', error: null })
      const said = (await listMessages(a.db, conversation, { limit: 10 })).map(({ role, content }) => [role, content])
      expect(said).toEqual(
        expect.arrayContaining([
          ['user', 'Hello'],
          ['assistant', 'Good day'],
        ]),
      )
      expect(await findConversation(a.db, conversation)).toMatchObject({ last_message_at: expect.any(String) })
    })

    it('accepts once, also when the worker and the API do it at the same moment', async () => {
      const { a, b, conversation } = await open()
      const id = await insert(a, conversation)
      await Promise.all([inTx(a, (tx) => markAccepted(tx, id)), claim(b, id), inTx(b, (tx) => markAccepted(tx, id))])
      expect(types(await readAllEvents(a.db, id))).toEqual(['accepted', 'message_start'])
      expect((await findTurn(a.db, id))?.status).toBe('running')
    })

    it('starts a turn once when several attempts claim it at the same moment', async () => {
      const { a, b, conversation } = await open()
      for (let round = 0; round < 5; round += 1) {
        const id = await insert(a, conversation)
        const claims = await Promise.all(times(4).map((n) => claim(n % 2 ? a : b, id)))
        expect(claims.map((claimed) => claimed?.additions.length).toSorted()).toEqual([0, 0, 0, 2])
        expect(types(await readAllEvents(a.db, id))).toEqual(['accepted', 'message_start'])
        await end(b, id, 'cancelled')
        expect(await claim(a, id)).toBeUndefined()
      }
    })

    it('stores as the reply exactly the delivered text, also when the end comes in the middle of it', async () => {
      const { a, b, conversation } = await open()
      for (let round = 0; round < 5; round += 1) {
        const id = await insert(a, conversation)
        await claim(a, id)
        const writer = { scope: 'step_1', fence: 1 }
        await a.events.begin(id, writer)
        const text = new TextWriter(a.events, id, writer, 1)
        const writing = (async () => {
          for (let n = 0; !text.failed.aborted; n += 1) {
            await text.write(`${n} `)
            if (n % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
          }
          await text.flush().catch(() => undefined)
        })()
        await expect.poll(async () => (await readHead(b.db, id)).head, { interval: 5 }).toBeGreaterThan(3 + round)
        await end(b, id, 'cancelled')
        await writing
        const events = await readAllEvents(a.db, id)
        const shown = events.map((event) => (event.type === 'content' ? event.data.content : '')).join('')
        const reply = (await listMessages(a.db, conversation, { limit: 100 })).find(
          (message) => message.turn_id === id && message.role === 'assistant',
        )
        expect(types(events).at(-1)).toBe('cancelled')
        expect(shown).toMatch(/^0 1 /)
        expect(reply?.content ?? '').toBe(shown)
      }
    })

    it('settles open rows when a turn ends, without deadlocks', async () => {
      const { a, b, conversation } = await open()
      for (let round = 0; round < 5; round += 1) {
        const id = await insert(a, conversation)
        await claim(a, id)
        const usageId = await insertUsage(a.db, aRequest(id))
        await insertUsage(a.db, aRequest(id, { fence: 2 }))
        await completeUsage(a.db, usageId, { input_tokens: 11, output_tokens: 5, cost_usd: 0.25, estimated: false })
        const calls = times(4).map((n) => ({
          call_id: `call_1_${n}`,
          name: 'tool',
          server: 's',
          provider_call_id: `${n}`,
          arguments: '{}',
        }))
        await storeStep(a, id, calls)
        const log = await Promise.all(
          calls.map(({ call_id }) =>
            inTx(a, (tx) =>
              startLogEntry(tx, {
                stream_id: id,
                kind: 'tool_call',
                name: 'tool',
                workflow_id: `tool/${id}/${call_id}`,
                activity_id: '1',
                attempt: 1,
              }),
            ),
          ),
        )
        // What a tool's activity does at its end, in two processes, while the turn is ended by a third party.
        const ending = calls.map(({ call_id }, index) =>
          inTx(index % 2 ? a : b, async (tx) => {
            await lockTurn(tx, id)
            await raiseFence(tx, id, { scope: call_id, fence: 1 })
            await startToolCall(tx, id, call_id)
            if (index > 1) return
            await finishToolCall(tx, id, call_id, 'done', '1')
            await addEvents(tx, id, { scope: call_id, fence: 1 }, [
              { event: { type: 'tool_call_end', data: { id: call_id, output: '1', is_error: false } } },
            ])
            await endLogEntry(tx, log[index]!, { status: 'completed', duration_ms: 1 })
          }),
        )
        await Promise.all(
          [...ending, end(b, id, 'failed', { code: 'internal_error', message: 'x' })].map((each) =>
            each.catch((error: unknown) => error),
          ),
        ).then((outcomes) => expect(outcomes.filter((outcome) => outcome instanceof Error)).toEqual([]))
        const [step] = await listSteps(a.db, id)
        expect(step!.calls).toHaveLength(4)
        for (const call of step!.calls) expect(['done', 'unknown', 'cancelled', 'started']).toContain(call.status)
        expect((await listLogOfTurn(a.db, id)).map(({ status }) => status)).not.toContain('running')
        expect(await totalUsage(a.db, id)).toEqual({ input_tokens: 21, output_tokens: 5, cost_usd: 0.25 })
        expect(JSON.parse((await findTurn(a.db, id))!.usage!)).toEqual({
          input_tokens: 21,
          output_tokens: 5,
          cost_usd: 0.25,
        })
        expect(await findStep(a.db, id, 1)).toMatchObject({
          content: '',
          calls: expect.arrayContaining([{ call_id: 'call_1_0', name: 'tool' }]),
        })
      }
    })

    it('starts a tool call once', async () => {
      const { a, b, conversation } = await open()
      const id = await insert(a, conversation)
      const call = { call_id: 'call_1_1', name: 'tool', server: 's', provider_call_id: 'x', arguments: '{}' }
      await storeStep(a, id, [call])
      const begun = await Promise.all(
        times(6).map((n) => inTx(n % 2 ? a : b, (tx) => startToolCall(tx, id, 'call_1_1'))),
      )
      expect(begun.filter(Boolean)).toHaveLength(1)
      const finished = await Promise.all(
        times(6).map((n) => inTx(n % 2 ? a : b, (tx) => finishToolCall(tx, id, 'call_1_1', 'done', `${n}`))),
      )
      expect(finished.filter(Boolean)).toHaveLength(1)
    })

    it('starts one turn for an Idempotency-Key, for any number of concurrent requests', async () => {
      const { a, b, conversation } = await open()
      const known = { key_id: 'key_1', route: 'chat', idempotency_key: 'once', body_hash: 'hash' }
      const send = (storage: Storage) =>
        inTx(storage, async (tx) => {
          const before = await findIdempotent(tx, known)
          if (before !== undefined) return before
          const turn = aTurn(conversation)
          await insertTurn(tx, turn, 'active')
          await insertIdempotent(tx, { ...known, result_id: turn.turn_id })
          return turn.turn_id
        })
      const ids = await Promise.all(times(10).map((n) => send(n % 2 ? a : b)))
      expect(new Set(ids).size).toBe(1)
      expect(await listTurns(a.db, { limit: 100 })).toHaveLength(1)
    })

    it("never exceeds a user's limit of concurrent turns", async () => {
      const { a, b } = await open()
      const send = async (storage: Storage) => {
        const { id } = await createConversation(storage.db, { agent_id: 'agent', user_id: 'user' })
        return inTx(storage, async (tx) => {
          const { concurrent } = (await admit(tx, { conversation_id: id, user_id: 'user', key_id: 'key_1' }))!
          expect(concurrent.key).toBe(concurrent.user)
          if (concurrent.user >= 3) return false
          await insertTurn(tx, aTurn(id), 'active')
          return true
        })
      }
      const begun = await Promise.all(times(12).map((n) => send(n % 2 ? a : b)))
      expect(begun.filter(Boolean)).toHaveLength(3)
    })

    it('does not fail as never accepted what Temporal has taken', async () => {
      const { a, conversation } = await open()
      const id = await insert(a, conversation)
      await inTx(a, (tx) => markAccepted(tx, id))
      expect(await end(a, id, 'failed', undefined, ['pending'])).toBeUndefined()
      expect((await findTurn(a.db, id))?.status).toBe('queued')
    })

    it('reports a turn that failed before its acceptance as not found', async () => {
      const { a, b, conversation } = await open()
      const id = await insert(a, conversation)
      const [ended, accepted] = await Promise.all([end(a, id, 'failed'), inTx(b, (tx) => markAccepted(tx, id))])
      expect(types(await readAllEvents(a.db, id))).toEqual(['accepted', 'error'])
      expect(types([...(accepted ?? []), ...(ended?.events ?? [])])).toEqual(['accepted', 'error'])
      expect(await inTx(b, (tx) => markAccepted(tx, id))).toEqual(accepted && [])
    })

    it('makes one default conversation of a user and an agent', async () => {
      const { a, b } = await open()
      const made = await Promise.all(
        times(10).map((n) => inTx(n % 2 ? a : b, (tx) => ensureDefaultConversation(tx, 'agent', 'someone'))),
      )
      expect(new Set(made).size).toBe(1)
    })

    it('deletes a conversation with everything in it, unless a turn is running', async () => {
      const { a, b, conversation } = await open()
      const id = await insert(a, conversation)
      await claim(a, id)
      expect(await inTx(b, (tx) => findUnfinishedOf(tx, conversation))).toBe(id)
      await end(a, id, 'completed')
      const deleted = await inTx(b, async (tx) => {
        expect(await findUnfinishedOf(tx, conversation)).toBeUndefined()
        return deleteConversation(tx, conversation)
      })
      expect(deleted).toMatchObject({ messages: 2 })
      expect(await findTurn(a.db, id)).toBeUndefined()
      expect(await readHead(a.db, id)).toEqual({ head: 0, ended: false })
    })

    it('delivers stop requests of turns and jobs to the process that runs them, also earlier ones', async () => {
      const { a, b, conversation } = await open()
      const turn = await insert(a, conversation)
      const file = await insertFile(a.db, {
        user_id: 'u',
        key_id: null,
        name: 'n',
        type: 'text/plain',
        size: 1,
        sha256: 's',
      })
      const job = await inTx(a, (tx) => insertJob(tx, { file, key_id: null }))
      const early = await insert(a, conversation)
      await requestStop(a.db, 'turn', early)
      const running = [early, turn, job.id].map((id) => ({ id, ...b.stops.register(id) }))
      const stopped = () => running.filter(({ signal }) => signal.aborted).map(({ id }) => id)
      // What was asked for before is found when it begins to listen; from then on only news can tell.
      await expect.poll(stopped).toEqual([early])
      await requestStop(a.db, 'turn', turn)
      await expect.poll(stopped).toEqual([early, turn])
      await requestStop(a.db, 'job', job.id)
      await expect.poll(stopped).toEqual([early, turn, job.id])
      for (const { signal, done } of running) {
        expect(signal.reason).toBeInstanceOf(StopRequested)
        done()
      }
    })

    it('refuses to stop a turn or job that has ended', async () => {
      const { a, conversation } = await open()
      const id = await insert(a, conversation)
      await requestStop(a.db, 'turn', id)
      expect(await findToStop(a.db, [id, 'job_none'])).toEqual([id])
      await end(a, id, 'cancelled')
      await expect(requestStop(a.db, 'turn', id)).rejects.toMatchObject({ code: 'conflict' })
      expect(await findToStop(a.db, [id])).toEqual([])
    })

    it('lists the active turns, and deletes rows past their retention, in two processes concurrently', async () => {
      const { a, b, conversation } = await open()
      const ids = [await insert(a, conversation)]
      for (const _ of times(7)) {
        const { id } = await createConversation(a.db, { agent_id: 'agent', user_id: 'user' })
        ids.push(await insert(a, id))
      }
      await insert(a, conversation)
      const page = await listActive(a.db, 3)
      expect(page.map((turn) => turn.id)).toEqual(ids.slice(0, 3))
      expect((await listActive(a.db, 10, page.at(-1)!.id)).map((turn) => turn.id)).toEqual(ids.slice(3))
      for (const id of ids.slice(1)) await end(a, id, 'completed')
      const forget = ({ db }: Storage) =>
        forgetOld(
          db,
          { event_log_days: -1, log_days: -1, audit_days: 90, embedding_days: 30 },
          AbortSignal.timeout(10_000),
        )
      const forgotten = await Promise.all([forget(a), forget(b)])
      expect(forgotten[0]!.streams + forgotten[1]!.streams).toBe(7)
      expect(await readHead(a.db, ids[1]!)).toEqual({ head: 0, ended: false })
    })
  })
}
