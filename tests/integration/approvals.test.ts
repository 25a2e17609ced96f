// What turns wait for people to decide, on both databases; two storages on one database stand for two processes.
import { describe, expect, it } from 'vitest'
import { endEvent, plannedStartEvent } from '../../activities/tools/call-events.ts'
import { isParked } from '../../api/services/approvals.ts'
import type { ApiContext } from '../../api/services/context.ts'
import { waitForReply } from '../../api/services/turns.ts'
import { resumeUi } from '../../api/services/ui-chat.ts'
import type { UiChunk } from '../../client/ui/ui-chunks.ts'
import { AUTO } from '../../contracts/routing.ts'
import { type Addition, raiseFence, readAllEvents } from '../../db/event-rows.ts'
import { askApproval, cancelApprovals, decideApproval, type NewApproval } from '../../db/queries/approval-changes.ts'
import { findApproval, listApprovals, listUntaken, takeApproval } from '../../db/queries/approvals.ts'
import { ensureDefaultConversation } from '../../db/queries/default-conversations.ts'
import { listLogOfTurn } from '../../db/queries/log.ts'
import { ensureExternal } from '../../db/queries/external-ids.ts'
import { finishToolCall, getToolCallOrThrow, insertStep, startToolCall } from '../../db/queries/steps.ts'
import { requestStop } from '../../db/queries/stop-requests.ts'
import { claimTurn } from '../../db/queries/turn-starts.ts'
import { findTurn, insertTurn, lockTurn } from '../../db/queries/turns.ts'
import type { Storage } from '../../db/storage.ts'
import { principal } from '../support/accepting.ts'
import { dialects } from '../support/dialects.ts'
import { aTurn, end, inTx } from '../support/turn-rows.ts'

interface Running {
  conversation?: string
  calls?: string[]
  /** The call that hands over. */
  handoff?: string
}

/** A running turn whose model wants two calls. */
async function running(
  storage: Storage,
  { conversation, calls = ['call_1_1', 'call_1_2'], handoff }: Running = {},
): Promise<string> {
  const writer = { scope: 'step_1', fence: 1 }
  return inTx(storage, async (tx) => {
    const turn = aTurn(conversation ?? (await ensureDefaultConversation(tx, 'agent', 'user')))
    const { turn_id } = turn
    await insertTurn(tx, turn, 'active')
    await claimTurn(tx, turn_id, 'run')
    await raiseFence(tx, turn_id, writer)
    const step = { turn_id, step: 1, content: '', provider: 'p', model: 'm', input_tokens: 1, output_tokens: 1 }
    await insertStep(
      tx,
      step,
      calls.map((call_id) => ({
        call_id,
        name: 's__tool',
        server: 's',
        tool: 'tool',
        provider_call_id: call_id,
        arguments: '{"a":1}',
        ...(call_id === handoff && { agent_call: 'handoff' as const, to_agent: 'other' }),
      })),
      writer,
    )
    return turn_id
  })
}

const ask = (storage: Storage, turn_id: string, more: Partial<NewApproval> = {}) =>
  inTx(storage, async (tx) => {
    await lockTurn(tx, turn_id)
    const asked = { turn_id, call_id: 'call_1_1', place: 'tool', kind: 'tool' as const, name: 'tool', server: 's' }
    return (await askApproval(tx, { ...asked, parameters: { a: 1 }, ...more })).approval
  })
const decide = (
  storage: Storage,
  approval: { turn_id: string; id: string },
  decision: 'approve' | 'deny',
  more: { arguments?: Record<string, unknown>; reason?: string } = {},
) =>
  inTx(storage, async (tx) => {
    await lockTurn(tx, approval.turn_id)
    return decideApproval(tx, approval, { decision, decided_by: 'key_2', ...more })
  })
/** The chunks of a call that waits. */
const ASKED = ['tool-input-available', 'tool-approval-request']
const statusOf = async ({ db }: Storage, turnId: string) => (await findTurn(db, turnId))?.status

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('of two concurrent decisions in two processes the first is final, and the other gets a conflict', async () => {
      const database = await dialect.fresh()
      const [one, two] = [await database.open(), await database.open()]
      for (let round = 0; round < 10; round += 1) {
        const turnId = await running(one)
        const approval = await ask(one, turnId)
        const outcomes = await Promise.all([decide(one, approval, 'approve'), decide(two, approval, 'deny')])
        expect(outcomes.filter((events) => events === undefined)).toHaveLength(1)
        const row = await findApproval(one.db, approval.id)
        expect(row).toMatchObject({
          status: 'decided',
          decision: outcomes[0] ? 'approve' : 'deny',
          decided_by: 'key_2',
        })
        const told = (await readAllEvents(two.db, turnId)).filter(({ type }) => type === 'approval_decided')
        expect(told.map(({ data }) => data)).toEqual([{ id: approval.id, decision: row?.decision }])
        await end(one, turnId, 'cancelled')
      }
    })

    it('a request by another attempt is the same approval, with one event', async () => {
      const storage = await (await dialect.fresh()).open()
      const turnId = await running(storage)
      const [first, second] = [await ask(storage, turnId), await ask(storage, turnId)]
      expect(second.id).toBe(first.id)
      const asked = (await readAllEvents(storage.db, turnId)).filter(({ type }) => type === 'approval_required')
      expect(asked.map(({ data }) => data)).toEqual([
        { id: first.id, call_id: 'call_1_1', kind: 'tool', name: 'tool', server: 's', parameters: { a: 1 } },
      ])
      expect((await ask(storage, turnId, { place: 'tool/2' })).id).not.toBe(first.id)
    })

    it('the turn waits while any of its approvals is pending', async () => {
      const storage = await (await dialect.fresh()).open()
      const turnId = await running(storage)
      const one = await ask(storage, turnId)
      const two = await ask(storage, turnId, { call_id: 'call_1_2' })
      expect(await statusOf(storage, turnId)).toBe('awaiting_approval')
      await decide(storage, one, 'approve')
      expect(await statusOf(storage, turnId)).toBe('awaiting_approval')
      await decide(storage, two, 'deny', { reason: 'No.' })
      expect(await statusOf(storage, turnId)).toBe('running')
      const log = await listLogOfTurn(storage.db, turnId)
      expect(log.map(({ kind, name, status }) => [kind, name, status])).toEqual([
        ['approval', 's/tool', 'completed'],
        ['approval', 's/tool', 'completed'],
      ])
      expect(JSON.parse(log[1]?.output ?? '')).toEqual({ decision: 'deny', reason: 'No.', decided_by: 'key_2' })
    })

    it('a client is told that the turn waits once each of its calls has ended or has asked', async () => {
      const storage = await (await dialect.fresh()).open()
      const context = { storage } as unknown as ApiContext
      const conversation = { user_id: 'user', agent_id: AUTO, external_id: 'chat' }
      const turnId = await running(storage, {
        conversation: await ensureExternal(storage.db, conversation),
        calls: ['call_1_1', 'call_1_2', 'call_1_3', 'call_1_4', 'call_1_5'],
        handoff: 'call_1_5',
      })
      const tell = async (additions: Addition[]) => storage.events.append(turnId, undefined, additions)
      const callOf = (call_id: string) => getToolCallOrThrow(storage.db, turnId, call_id)
      const publish = async (asked: Promise<unknown>) => {
        await asked
        storage.events.publish(turnId, await readAllEvents(storage.db, turnId))
      }
      await publish(ask(storage, turnId))
      const replied = waitForReply(context, turnId, AbortSignal.timeout(20_000))
      const { external_id } = conversation
      const signal = AbortSignal.timeout(20_000)
      const stream = (await resumeUi(context, principal, { ...conversation, external_id, signal }))!
      const chunks: UiChunk[] = [...(await stream.next()).value!]
      expect(chunks.map(({ type }) => type)).toEqual(['start-step', ...ASKED])

      expect(await isParked(storage.db, turnId)).toBe(false)
      await publish(ask(storage, turnId, { call_id: 'call_1_2' }))
      await inTx(storage, (tx) => startToolCall(tx, turnId, 'call_1_3'))
      await tell([plannedStartEvent(await callOf('call_1_3'))])
      expect(await isParked(storage.db, turnId)).toBe(false)
      await publish(ask(storage, turnId, { call_id: 'call_1_4' }))
      expect(await isParked(storage.db, turnId)).toBe(false)
      await inTx(storage, (tx) => finishToolCall(tx, turnId, 'call_1_3', 'done', '1'))
      await tell([endEvent('call_1_3', '1', false)])
      expect(await isParked(storage.db, turnId)).toBe(true)
      expect(await replied).toBe(false)
      for await (const batch of stream) chunks.push(...batch)
      const types = chunks.map(({ type }) => type)
      expect(types.filter((type) => type === 'tool-approval-request')).toHaveLength(3)
      expect(types.slice(-2)).toEqual(['tool-output-available', 'finish'])
    })

    it('changed arguments replace those of the call, unless it has started', async () => {
      const storage = await (await dialect.fresh()).open()
      const turnId = await running(storage)
      const argumentsOf = async (callId: string) => (await getToolCallOrThrow(storage.db, turnId, callId)).arguments
      await decide(storage, await ask(storage, turnId), 'approve', { arguments: { a: 2 } })
      expect(await argumentsOf('call_1_1')).toBe('{"a":2}')
      const late = await ask(storage, turnId, { call_id: 'call_1_2' })
      await inTx(storage, (tx) => startToolCall(tx, turnId, 'call_1_2'))
      await decide(storage, late, 'approve', { arguments: { a: 2 } })
      expect(await argumentsOf('call_1_2')).toBe('{"a":1}')
    })

    it('the end of the turn cancels its approvals; no decision is accepted after the end or a stop request', async () => {
      const storage = await (await dialect.fresh()).open()
      const turnId = await running(storage)
      const approval = await ask(storage, turnId)
      await requestStop(storage.db, 'turn', turnId)
      expect(await decide(storage, approval, 'approve')).toBeUndefined()
      const ended = await end(storage, turnId, 'cancelled')
      expect(ended?.events.map(({ type }) => type)).toEqual(['approval_decided', 'cancelled'])
      expect(await findApproval(storage.db, approval.id)).toMatchObject({ status: 'cancelled', decision: null })
      expect(await decide(storage, approval, 'approve')).toBeUndefined()
      expect((await listLogOfTurn(storage.db, turnId)).map(({ status }) => status)).toEqual(['cancelled'])
      expect(await inTx(storage, (tx) => cancelApprovals(tx, turnId))).toEqual([])
      expect(await ask(storage, turnId, { place: 'too late' })).toMatchObject({ status: 'cancelled' })
      expect(await statusOf(storage, turnId)).toBe('cancelled')
    })

    it('the signal of a decision is repeated until it is taken; lists are by user and status', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      const turnId = await running(storage)
      const approval = await ask(storage, turnId)
      const soon = new Date(Date.now() + 60_000).toISOString()
      expect(await listUntaken(db, soon, 10)).toEqual([])
      await decide(storage, approval, 'approve')
      expect(await listUntaken(db, soon, 10)).toEqual([{ id: approval.id, turn_id: turnId, call_id: 'call_1_1' }])
      await takeApproval(db, approval.id)
      expect(await listUntaken(db, soon, 10)).toEqual([])
      const other = await ask(storage, turnId, { call_id: 'call_1_2' })
      const ids = async (filter: object) => (await listApprovals(db, { limit: 10, ...filter })).map(({ id }) => id)
      expect(await ids({})).toEqual([other.id, approval.id])
      expect(await ids({ status: 'waiting', user_id: 'user' })).toEqual([other.id])
      expect(await ids({ user_id: 'another' })).toEqual([])
    })
  })
}
