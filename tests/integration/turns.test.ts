// The life of a turn in rows, on both databases; two storages on one database stand for two processes.
import { describe, expect, it } from 'vitest'
import type { StoredEvent } from '../../contracts/events.ts'
import { newId } from '../../contracts/ids.ts'
import { TextWriter } from '../../db/event-log.ts'
import { addEvents, raiseFence, readAllEvents, readHead } from '../../db/event-rows.ts'
import {
  createConversation,
  deleteConversation,
  ensureDefaultConversation,
  findConversation,
  listMessages,
} from '../../db/queries/conversations.ts'
import { insertFile } from '../../db/queries/files.ts'
import { findIdempotent, insertIdempotent } from '../../db/queries/idempotency.ts'
import { insertJob } from '../../db/queries/jobs.ts'
import { endLogEntry, listLogOfTurn, startLogEntry } from '../../db/queries/log.ts'
import { forgetOld } from '../../db/queries/retention.ts'
import { findStep, finishToolCall, insertStep, listSteps, startToolCall } from '../../db/queries/steps.ts'
import { findToStop, requestStop } from '../../db/queries/stop-requests.ts'
import {
  acceptTurn,
  claimTurn,
  countUnfinished,
  discardTurn,
  findTurn,
  findUnfinishedOf,
  finishTurn,
  insertTurn,
  listTurns,
  listUnfinished,
  lockTurn,
  type NewTurn,
} from '../../db/queries/turns.ts'
import { completeUsage, insertUsage, totalUsage } from '../../db/queries/usage.ts'
import type { Tx } from '../../db/schema.ts'
import type { Storage } from '../../db/storage.ts'
import { StopRequested } from '../../db/stops.ts'
import { dialects } from '../support/dialects.ts'

const times = (n: number) => Array.from({ length: n }, (_, index) => index)
const inTx = <T>({ db }: Storage, work: (tx: Tx) => Promise<T>) => db.transaction().execute(work)
const types = (events: StoredEvent[]) => events.map(({ type }) => type)

function aTurn(conversationId: string, more: Partial<NewTurn> = {}): NewTurn {
  return {
    turn_id: newId('turn'),
    message_id: newId('msg'),
    user_message_id: newId('msg'),
    conversation_id: conversationId,
    agent_id: 'agent',
    agent_version: 1,
    user_id: 'user',
    key_id: 'key_1',
    on_busy: 'queue',
    content: 'Hello',
    attachments: [],
    response_schema: undefined,
    ...more,
  }
}

async function insert(storage: Storage, conversationId: string, more?: Partial<NewTurn>): Promise<string> {
  const turn = aTurn(conversationId, more)
  await inTx(storage, (tx) => insertTurn(tx, turn))
  return turn.turn_id
}

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
      expect(types((await inTx(a, (tx) => acceptTurn(tx, id))) ?? [])).toEqual(['accepted'])
      expect(await inTx(b, (tx) => acceptTurn(tx, id))).toEqual([])
      const claim = await inTx(b, (tx) => claimTurn(tx, id, 'run'))
      expect(claim).toMatchObject({ claimed: true, agent_id: 'agent', agent_version: 1 })
      const writer = { scope: 'step_1', fence: 1 }
      await b.events.begin(id, writer)
      const text = new TextWriter(b.events, id, writer, 1)
      await text.write('Good day')
      await text.flush()
      expect(types(await inTx(b, (tx) => finishTurn(tx, id, 'completed')))).toEqual(['message_end'])
      expect(await inTx(a, (tx) => finishTurn(tx, id, 'failed'))).toEqual([])
      expect(types(await readAllEvents(a.db, id))).toEqual(['accepted', 'message_start', 'content', 'message_end'])
      expect(await findTurn(a.db, id)).toMatchObject({ status: 'completed', run_id: 'run', error: null })
      const said = (await listMessages(a.db, conversation, 10)).map(({ role, content }) => [role, content])
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
      await Promise.all([
        inTx(a, (tx) => acceptTurn(tx, id)),
        inTx(b, (tx) => claimTurn(tx, id, 'run')),
        inTx(b, (tx) => acceptTurn(tx, id)),
      ])
      expect(types(await readAllEvents(a.db, id))).toEqual(['accepted', 'message_start'])
      expect((await findTurn(a.db, id))?.status).toBe('running')
    })

    it('lets one turn of a conversation run, whoever claims at the same moment', async () => {
      const { a, b, conversation } = await open()
      for (let round = 0; round < 5; round += 1) {
        const ids = await Promise.all(times(4).map(() => insert(a, conversation)))
        const claims = await Promise.all(
          ids.map((id, index) => inTx(index % 2 ? a : b, (tx) => claimTurn(tx, id, 'run'))),
        )
        const claimed = ids.filter((_, index) => claims[index]!.claimed)
        expect(claimed).toHaveLength(1)
        for (const claim of claims)
          if (!claim.claimed) expect(claim).toEqual({ claimed: false, reason: 'busy', other_turn_id: claimed[0] })
        expect(await inTx(a, (tx) => claimTurn(tx, claimed[0]!, 'run'))).toMatchObject({ claimed: true, events: [] })
        await Promise.all(ids.map((id) => inTx(b, (tx) => finishTurn(tx, id, 'cancelled'))))
        expect(await inTx(a, (tx) => claimTurn(tx, claimed[0]!, 'run'))).toEqual({ claimed: false, reason: 'over' })
      }
    })

    it('keeps as the reply exactly the text that was shown, also when the end comes in the midst of it', async () => {
      const { a, b, conversation } = await open()
      for (let round = 0; round < 5; round += 1) {
        const id = await insert(a, conversation)
        await inTx(a, (tx) => claimTurn(tx, id, 'run'))
        const writer = { scope: 'step_1', fence: 1 }
        await a.events.begin(id, writer)
        const text = new TextWriter(a.events, id, writer, 1)
        const writing = (async () => {
          for (let n = 0; !text.failed.aborted && n < 5_000; n += 1) {
            await text.write(`${n} `)
            if (n % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
          }
          await text.flush().catch(() => undefined)
        })()
        await new Promise((resolve) => setTimeout(resolve, 40 + round * 7))
        await inTx(b, (tx) => finishTurn(tx, id, 'cancelled'))
        await writing
        const events = await readAllEvents(a.db, id)
        const shown = events.map((event) => (event.type === 'content' ? event.data.content : '')).join('')
        const reply = (await listMessages(a.db, conversation, 100)).find(
          (message) => message.turn_id === id && message.role === 'assistant',
        )
        expect(types(events).at(-1)).toBe('cancelled')
        expect(reply?.content ?? '').toBe(shown)
      }
    })

    it('settles what was left open when a turn ends, and waits for nobody in a circle', async () => {
      const { a, b, conversation } = await open()
      for (let round = 0; round < 5; round += 1) {
        const id = await insert(a, conversation)
        await inTx(a, (tx) => claimTurn(tx, id, 'run'))
        const usageId = await insertUsage(a.db, {
          turn_id: id,
          step: 1,
          fence: 1,
          provider: 'p',
          model: 'm',
          input_tokens: 10,
        })
        await insertUsage(a.db, { turn_id: id, step: 1, fence: 2, provider: 'p', model: 'm', input_tokens: 10 })
        await completeUsage(a.db, usageId, { input_tokens: 11, output_tokens: 5, cost_usd: 0.25, estimated: false })
        const calls = times(4).map((n) => ({
          call_id: `call_1_${n}`,
          name: 'tool',
          server: 's',
          provider_call_id: `${n}`,
          arguments: '{}',
        }))
        await inTx(a, (tx) =>
          insertStep(
            tx,
            { turn_id: id, step: 1, content: '', provider: 'p', model: 'm', input_tokens: 11, output_tokens: 5 },
            calls,
          ),
        )
        const log = await Promise.all(
          calls.map(({ call_id }) =>
            inTx(a, (tx) =>
              startLogEntry(tx, {
                turn_id: id,
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
          [...ending, inTx(b, (tx) => finishTurn(tx, id, 'failed', { code: 'internal_error', message: 'x' }))].map(
            (each) => each.catch((error: unknown) => error),
          ),
        ).then((outcomes) => expect(outcomes.filter((outcome) => outcome instanceof Error)).toEqual([]))
        const [step] = await listSteps(a.db, id)
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

    it('begins a tool call once', async () => {
      const { a, b, conversation } = await open()
      const id = await insert(a, conversation)
      const call = { call_id: 'call_1_1', name: 'tool', server: 's', provider_call_id: 'x', arguments: '{}' }
      await inTx(a, (tx) =>
        insertStep(
          tx,
          { turn_id: id, step: 1, content: '', provider: 'p', model: 'm', input_tokens: 1, output_tokens: 1 },
          [call],
        ),
      )
      const begun = await Promise.all(
        times(6).map((n) => inTx(n % 2 ? a : b, (tx) => startToolCall(tx, id, 'call_1_1'))),
      )
      expect(begun.filter(Boolean)).toHaveLength(1)
      const finished = await Promise.all(
        times(6).map((n) => inTx(n % 2 ? a : b, (tx) => finishToolCall(tx, id, 'call_1_1', 'done', `${n}`))),
      )
      expect(finished.filter(Boolean)).toHaveLength(1)
    })

    it('begins one turn for an Idempotency-Key, however many requests bring it at once', async () => {
      const { a, b, conversation } = await open()
      const known = { key_id: 'key_1', route: 'chat', idempotency_key: 'once', body_hash: 'hash' }
      const send = (storage: Storage) =>
        inTx(storage, async (tx) => {
          const before = await findIdempotent(tx, known)
          if (before !== undefined) return before
          const turn = aTurn(conversation)
          await insertTurn(tx, turn)
          await insertIdempotent(tx, { ...known, result_id: turn.turn_id })
          return turn.turn_id
        })
      const ids = await Promise.all(times(10).map((n) => send(n % 2 ? a : b)))
      expect(new Set(ids).size).toBe(1)
      expect(await listTurns(a.db, { limit: 100 })).toHaveLength(1)
      await inTx(a, (tx) => discardTurn(tx, ids[0]!))
      expect(await inTx(b, (tx) => acceptTurn(tx, ids[0]!))).toBeUndefined()
      expect(await inTx(a, (tx) => findIdempotent(tx, known))).toBeUndefined()
      expect(await listMessages(a.db, conversation, 10)).toEqual([])
    })

    it('never lets more turns begin than a user may have at once', async () => {
      const { a, b, conversation } = await open()
      const send = (storage: Storage) =>
        inTx(storage, async (tx) => {
          const { user, key } = await countUnfinished(tx, 'user', 'key_1')
          expect(key).toBe(user)
          if (user >= 3) return false
          await insertTurn(tx, aTurn(conversation))
          return true
        })
      const begun = await Promise.all(times(12).map((n) => send(n % 2 ? a : b)))
      expect(begun.filter(Boolean)).toHaveLength(3)
    })

    it('discards only what the engine has not taken', async () => {
      const { a, conversation } = await open()
      const id = await insert(a, conversation)
      await inTx(a, (tx) => acceptTurn(tx, id))
      await inTx(a, (tx) => discardTurn(tx, id))
      expect((await findTurn(a.db, id))?.status).toBe('queued')
    })

    it('says of a turn that was given up before its acceptance that it is gone', async () => {
      const { a, b, conversation } = await open()
      const id = await insert(a, conversation)
      const [ended, accepted] = await Promise.all([
        inTx(a, (tx) => finishTurn(tx, id, 'failed')),
        inTx(b, (tx) => acceptTurn(tx, id)),
      ])
      expect(types(await readAllEvents(a.db, id))).toEqual(['accepted', 'error'])
      expect(types([...(accepted ?? []), ...ended])).toEqual(['accepted', 'error'])
      expect(await inTx(b, (tx) => acceptTurn(tx, id))).toBeUndefined()
    })

    it('makes one default conversation of a user and an agent', async () => {
      const { a, b } = await open()
      const made = await Promise.all(
        times(10).map((n) => inTx(n % 2 ? a : b, (tx) => ensureDefaultConversation(tx, 'agent', 'someone'))),
      )
      expect(new Set(made.map(({ id }) => id)).size).toBe(1)
    })

    it('deletes a conversation with everything in it, unless a turn is under way', async () => {
      const { a, b, conversation } = await open()
      const id = await insert(a, conversation)
      await inTx(a, (tx) => claimTurn(tx, id, 'run'))
      expect(await inTx(b, (tx) => findUnfinishedOf(tx, conversation))).toBe(id)
      await inTx(a, (tx) => finishTurn(tx, id, 'completed'))
      const deleted = await inTx(b, async (tx) => {
        expect(await findUnfinishedOf(tx, conversation)).toBeUndefined()
        return deleteConversation(tx, conversation)
      })
      expect(deleted).toMatchObject({ messages: 2 })
      expect(await findTurn(a.db, id)).toBeUndefined()
      expect(await readHead(a.db, id)).toEqual({ head: 0, ended: false })
    })

    it('shows stop requests of turns and of jobs to the process that runs them, once it listens and before that', async () => {
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

    it('refuses to stop what is over', async () => {
      const { a, conversation } = await open()
      const id = await insert(a, conversation)
      await requestStop(a.db, 'turn', id)
      expect(await findToStop(a.db, [id, 'job_none'])).toEqual([id])
      await inTx(a, (tx) => finishTurn(tx, id, 'cancelled'))
      await expect(requestStop(a.db, 'turn', id)).rejects.toMatchObject({ code: 'conflict' })
      expect(await findToStop(a.db, [id])).toEqual([])
    })

    it('lists the unfinished, and forgets what is past its time, from two processes at once', async () => {
      const { a, b, conversation } = await open()
      const ids: string[] = []
      for (const _ of times(8)) ids.push(await insert(a, conversation))
      const future = new Date(Date.now() + 1_000).toISOString()
      const page = await listUnfinished(a.db, future, 3)
      expect(page.map((turn) => turn.id)).toEqual(ids.slice(0, 3))
      expect((await listUnfinished(a.db, future, 10, page.at(-1)!.id)).map((turn) => turn.id)).toEqual(ids.slice(3))
      for (const id of ids.slice(1)) await inTx(a, (tx) => finishTurn(tx, id, 'completed'))
      const forget = ({ db }: Storage) =>
        forgetOld(db, { event_log_days: -1, log_days: -1, embedding_days: 30 }, AbortSignal.timeout(10_000))
      const forgotten = await Promise.all([forget(a), forget(b)])
      expect(forgotten[0]!.streams + forgotten[1]!.streams).toBe(7)
      expect(await readHead(a.db, ids[1]!)).toEqual({ head: 0, ended: false })
    })
  })
}
