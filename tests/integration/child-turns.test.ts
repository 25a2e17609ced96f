// Calls that reach another agent, in rows, on both databases; two storages on one database stand for two processes.
import { MockActivityEnvironment } from '@temporalio/testing'
import { describe, expect, it } from 'vitest'
import { agentCallActivities } from '../../activities/tools/agent-calls.ts'
import { MAX_AT_ONCE } from '../../contracts/agent-calls.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { raiseFence, readAllEvents } from '../../db/event-rows.ts'
import { listLogOfTurn } from '../../db/queries/log.ts'
import { syncFileAgents } from '../../db/queries/agents.ts'
import { admit } from '../../db/queries/admission.ts'
import { askApproval, decideApproval } from '../../db/queries/approval-changes.ts'
import { listWaiting } from '../../db/queries/approvals.ts'
import { lockWithRoots, requestStopBelow } from '../../db/queries/child-turns.ts'
import { createConversation, deleteConversation, listConversations } from '../../db/queries/conversations.ts'
import { getToolCallOrThrow, insertStep, type NewToolCall } from '../../db/queries/steps.ts'
import { findUnfinishedOf } from '../../db/queries/turn-queue.ts'
import { claimTurn } from '../../db/queries/turn-starts.ts'
import { findTurn, lockTurn } from '../../db/queries/turns.ts'
import { completeUsage, insertUsage, totalUsage } from '../../db/queries/usage.ts'
import type { Storage } from '../../db/storage.ts'
import { ModelRegistry } from '../../providers/registry.ts'
import { turnDescriber } from '../../workers/turn-starter.ts'
import { OFFLINE } from '../support/call-model.ts'
import { dialects, type TestStorage } from '../support/dialects.ts'
import { aRequest, end, insert, inTx } from '../support/turn-rows.ts'

const models = new ModelRegistry(OFFLINE)
const limits = { steps_per_turn: 8, turn_seconds: 60, tokens_per_turn: 100_000 }
const asks = (n = 1, message = 'What is it?'): NewToolCall => ({
  call_id: `call_1_${n}`,
  name: 'ask_other',
  server: 'builtin',
  provider_call_id: `call_1_${n}`,
  arguments: JSON.stringify({ message }),
  agent_call: 'ask',
  to_agent: 'other',
})
const handsOver = (n = 1): NewToolCall => ({ ...asks(n), arguments: '{}', agent_call: 'handoff' })

/** The activities of a worker over a storage. */
function worker(storage: TestStorage) {
  const activities = agentCallActivities({
    ...storage,
    models,
    tool_output_characters: 1_000,
    describeTurn: turnDescriber({ storage, models, limits }),
    startTurn: async () => undefined,
    startMemory: async () => undefined,
  })
  const run = <T>(work: (input: never) => Promise<T>, turn_id: string, call_id = 'call_1_1'): Promise<T> => {
    const workflowExecution = { workflowId: `turn/${turn_id}`, runId: 'run' }
    const input = { turn_id, call_id, name: 'ask_other', agent_id: 'agent', conversation_id: '', user_hash: '' }
    return new MockActivityEnvironment({ workflowExecution }).run(() => work(input as never)) as Promise<T>
  }
  return {
    begin: (turnId: string, callId?: string) => run((input) => activities.beginAsk(input), turnId, callId),
    end: (turnId: string, callId?: string) => run((input) => activities.endAsk(input), turnId, callId),
    handOver: (turnId: string, callId?: string) => run((input) => activities.handOver(input), turnId, callId),
  }
}

async function setUp(open: () => Promise<TestStorage>) {
  const storage = await open()
  const agents = ['agent', 'other'].map((id) => {
    const words = { id, description: `Is ${id}.`, system_message: 'Help.' }
    const memory = { long_term: id === 'other' }
    const config = resolveAgent({ ...words, memory, model: { provider: 'offline', model: 'offline' } }, id)
    return { id, config, secrets: {}, file: `${id}.yaml` }
  })
  await syncFileAgents(storage.db, storage.box, agents)
  const { id: conversation } = await createConversation(storage.db, { agent_id: 'agent', user_id: 'user' })
  /** A running turn whose model has called. */
  const running = async (...calls: NewToolCall[]) => {
    const turn_id = await insert(storage, conversation)
    await plan(storage, turn_id, calls)
    return turn_id
  }
  return { storage, conversation, running }
}

async function plan(storage: Storage, turn_id: string, calls: NewToolCall[]) {
  const writer = { scope: 'step_1', fence: 1 }
  const step = { turn_id, step: 1, content: '', provider: 'p', model: 'm', input_tokens: 1, output_tokens: 1 }
  await inTx(storage, async (tx) => {
    await claimTurn(tx, turn_id, 'run')
    await raiseFence(tx, turn_id, writer)
    await insertStep(tx, step, calls, writer)
  })
}

const begun = (state: Awaited<ReturnType<ReturnType<typeof worker>['begin']>>) => {
  if ('result' in state) throw new Error(`The call ended: ${state.result.outcome}`)
  return state.turn
}
const eventsOf = async ({ db }: Storage, turnId: string) =>
  (await readAllEvents(db, turnId)).map(({ type }) => type).filter((type) => type !== 'message_start')

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('an ask that two workers begin and end makes one turn and one result', async () => {
      const database = await dialect.fresh()
      const { storage, running } = await setUp(() => database.open())
      const two = worker(await database.open())
      const one = worker(storage)
      const turnId = await running(asks())
      const [a, b] = (await Promise.all([one.begin(turnId), two.begin(turnId)])).map(begun)
      expect(a!.turn_id).toBe(b!.turn_id)
      expect(a).toMatchObject({ agent_id: 'other', agent_version: 1, parent_call_id: 'call_1_1', max_steps: 8 })
      const child = (await findTurn(storage.db, a!.turn_id))!
      expect(child).toMatchObject({
        parent_turn_id: turnId,
        root_turn_id: turnId,
        depth: 1,
        user_id: 'user',
        status: 'pending',
      })
      await inTx(storage, (tx) => claimTurn(tx, child.id, 'run'))
      await end(storage, child.id, 'completed')
      const ends = await Promise.all([one.end(turnId), two.end(turnId)])
      expect(ends.map(({ outcome }) => outcome)).toEqual(['done', 'done'])
      expect(await eventsOf(storage, turnId)).toEqual(['tool_call_start', 'tool_call_end'])
      expect(await one.begin(turnId)).toEqual({ result: { turn_id: turnId, call_id: 'call_1_1', outcome: 'done' } })
    })

    it('an ask whose turn never began ends as an error, and so does the turn', async () => {
      const { storage, running } = await setUp(async () => (await dialect.fresh()).open())
      const turnId = await running(asks())
      const child = begun(await worker(storage).begin(turnId)).turn_id
      expect(await worker(storage).end(turnId)).toMatchObject({ outcome: 'error' })
      expect((await findTurn(storage.db, child))?.status).toBe('failed')
    })

    it('an ask is not made of a turn that is to stop, without arguments, or of an agent that was deleted', async () => {
      const { storage, running, conversation } = await setUp(async () => (await dialect.fresh()).open())
      const turnId = await running({ ...asks(1), arguments: '{}' }, asks(2), asks(3), asks(4))
      const { begin, end: finish } = worker(storage)
      expect(await begin(turnId, 'call_1_1')).toMatchObject({ result: { outcome: 'invalid' } })
      const started = (await readAllEvents(storage.db, turnId)).find(({ type }) => type === 'tool_call_start')
      expect(started?.data).toEqual({ id: 'call_1_1', name: expect.any(String), server: 'builtin', parameters: {} })
      expect((await listLogOfTurn(storage.db, turnId)).map(({ input }) => input)).toEqual(['{}'])
      await storage.db.updateTable('agents').set({ deleted_at: 'now' }).where('id', '=', 'other').execute()
      expect(await begin(turnId, 'call_1_2')).toMatchObject({ result: { outcome: 'error' } })
      expect((await getToolCallOrThrow(storage.db, turnId, 'call_1_2')).output).toContain("no agent 'other'")
      await storage.db.updateTable('turns').set({ cancel_requested_at: 'now' }).where('id', '=', turnId).execute()
      expect(await begin(turnId, 'call_1_3')).toMatchObject({ result: { outcome: 'cancelled' } })
      expect(await finish(turnId, 'call_1_4')).toMatchObject({ outcome: 'cancelled' })
      expect(await inTx(storage, (tx) => findUnfinishedOf(tx, conversation))).toBe(turnId)
      const [{ n } = { n: 0 }] = await storage.db
        .selectFrom('turns')
        .select((eb) => eb.fn.countAll().as('n'))
        .execute()
      expect(Number(n)).toBe(1)
    })

    it('as many agents are asked at once as the limit allows, by all turns of a message together', async () => {
      const database = await dialect.fresh()
      const { storage, running } = await setUp(() => database.open())
      const [one, two] = [worker(storage), worker(await database.open())]
      const numbers = Array.from({ length: MAX_AT_ONCE - 1 }, (_, index) => index + 1)
      const turnId = await running(...numbers.map((n) => asks(n)), asks(MAX_AT_ONCE))
      const asked: string[] = []
      for (const n of numbers) asked.push(begun(await one.begin(turnId, `call_1_${n}`)).turn_id)
      // There is room for one more, and two of those that were asked ask.
      const [left, right] = asked
      for (const id of [left!, right!]) await plan(storage, id, [asks()])
      const states = await Promise.all([one.begin(left!), two.begin(right!)])
      const refused = states.flatMap((state) => ('result' in state ? [state.result!] : []))
      expect(refused).toMatchObject([{ outcome: 'error' }])
      const { output } = await getToolCallOrThrow(storage.db, refused[0]!.turn_id, refused[0]!.call_id)
      expect(output).toContain(`Not asked: ${MAX_AT_ONCE} agents are being asked for this message`)
      await inTx(storage, (tx) => claimTurn(tx, asked[2]!, 'run'))
      await end(storage, asked[2]!, 'completed')
      begun(await one.begin(turnId, `call_1_${MAX_AT_ONCE}`))
    })

    it('a handoff that two workers make counts once, fixes the version and drops what was recalled', async () => {
      const database = await dialect.fresh()
      const { storage, running } = await setUp(() => database.open())
      const turnId = await running(handsOver())
      const recall = { turn_id: turnId, passages: '[]', memories: null, about_user: null, created_at: 'now' }
      await storage.db.insertInto('recalls').values(recall).execute()
      const other = worker(await database.open())
      const results = await Promise.all([worker(storage).handOver(turnId), other.handOver(turnId)])
      for (const result of results)
        expect(result).toMatchObject({ outcome: 'done', agent: { agent_id: 'other', agent_version: 1 } })
      expect(await findTurn(storage.db, turnId)).toMatchObject({ agent_id: 'other', agent_version: 1, remembers: 1 })
      expect(await eventsOf(storage, turnId)).toEqual(['tool_call_start', 'tool_call_end'])
      expect(await storage.db.selectFrom('recalls').selectAll().execute()).toEqual([])
    })

    it('turns below count for usage and deletion, and neither for limits nor in lists', async () => {
      const { storage, running, conversation } = await setUp(async () => (await dialect.fresh()).open())
      const { db } = storage
      const turnId = await running(asks())
      const child = begun(await worker(storage).begin(turnId)).turn_id
      await plan(storage, child, [asks()])
      const grandchild = begun(await worker(storage).begin(child)).turn_id
      for (const [index, stream_id] of [turnId, child, grandchild].entries()) {
        const usage = await insertUsage(db, aRequest(stream_id))
        await completeUsage(db, usage, { input_tokens: 10 ** index, output_tokens: 1, cost_usd: 0.5, estimated: false })
      }
      expect(await totalUsage(db, turnId)).toEqual({ input_tokens: 111, output_tokens: 3, cost_usd: 1.5 })
      expect(await totalUsage(db, child)).toMatchObject({ input_tokens: 110 })
      const { id: next } = await createConversation(db, { agent_id: 'agent', user_id: 'user' })
      const admission = await inTx(storage, (tx) =>
        admit(tx, { conversation_id: next, user_id: 'user', key_id: 'key_1' }),
      )
      expect(admission?.concurrent).toEqual({ user: 1, key: 1 })
      expect((await listConversations(db, { limit: 10 })).map(({ id }) => id)).toEqual([next, conversation])
      for (const id of [grandchild, child]) {
        await end(storage, id, 'completed')
        expect(await inTx(storage, (tx) => findUnfinishedOf(tx, conversation))).toBeDefined()
      }
      await end(storage, turnId, 'completed')
      expect(await inTx(storage, (tx) => findUnfinishedOf(tx, conversation))).toBeUndefined()
      const deleted = await inTx(storage, (tx) => deleteConversation(tx, conversation))
      expect(deleted.messages).toBe(2)
      for (const table of ['turns', 'messages', 'tool_calls', 'log_entries', 'event_streams'] as const)
        expect(await db.selectFrom(table).selectAll().execute(), table).toEqual([])
    })

    it('approvals of turns below are shown at the root, which waits for all of them', async () => {
      const { storage, running } = await setUp(async () => (await dialect.fresh()).open())
      const { db } = storage
      const turnId = await running(asks())
      const child = begun(await worker(storage).begin(turnId)).turn_id
      await plan(storage, child, [asks(1), asks(2)])
      const statuses = async () => [(await findTurn(db, turnId))?.status, (await findTurn(db, child))?.status]
      const asked = await Promise.all(
        ['call_1_1', 'call_1_2'].map((call_id) =>
          inTx(storage, async (tx) => {
            await lockTurn(tx, child)
            return askApproval(tx, { turn_id: child, call_id, place: 'tool', kind: 'tool', name: 't', server: 's' })
          }),
        ),
      )
      expect(await statuses()).toEqual(['awaiting_approval', 'awaiting_approval'])
      expect(asked[0]!.shown.map(({ turn_id }) => turn_id)).toEqual([child, turnId])
      expect(await listWaiting(db, turnId)).toHaveLength(2)
      for (const [index, { approval }] of asked.entries()) {
        await inTx(storage, async (tx) => {
          await lockTurn(tx, child)
          return decideApproval(tx, approval, { decision: 'approve', decided_by: 'key_1' })
        })
        expect(await statuses()).toEqual(
          index === 0 ? ['awaiting_approval', 'awaiting_approval'] : ['running', 'running'],
        )
      }
      expect(await eventsOf(storage, turnId)).toEqual([
        'tool_call_start',
        ...Array(2).fill('approval_required'),
        ...Array(2).fill('approval_decided'),
      ])
    })

    it('turns below ask, are decided, stopped and ended at once without deadlocks', async () => {
      const database = await dialect.fresh()
      const { storage, running } = await setUp(() => database.open())
      const second = await database.open()
      const calls = [1, 2, 3, 4].map((n) => asks(n))
      const turnId = await running(...calls)
      const children: string[] = []
      for (const { call_id } of calls) children.push(begun(await worker(storage).begin(turnId, call_id)).turn_id)
      for (const child of children) await plan(storage, child, [asks()])
      const place = { call_id: 'call_1_1', kind: 'tool' as const, name: 't', server: 's' }
      const work = children.flatMap((child, index) =>
        [1, 2, 3].map(async (n) => {
          const one = (index + n) % 2 === 0 ? storage : second
          const { approval } = await inTx(one, async (tx) => {
            await lockTurn(tx, child)
            return askApproval(tx, { turn_id: child, place: `tool/${n}`, ...place })
          })
          await inTx(one, async (tx) => {
            await lockWithRoots(tx, [children[0]!, child])
            return decideApproval(tx, approval, { decision: 'deny', decided_by: 'key_1' })
          })
        }),
      )
      await Promise.all([...work, requestStopBelow(second.db, turnId)])
      await Promise.all([
        ...children.map((child, index) => end(index % 2 === 0 ? storage : second, child, 'completed')),
        end(second, turnId, 'cancelled'),
      ])
      for (const id of [turnId, ...children]) expect((await findTurn(storage.db, id))?.status).toBe('cancelled')
    })
  })
}
