// The sweeper and turns that agents have asked each other for: the workflow of the turn that asks starts and ends them, as long as it runs.
import { WorkflowNotFoundError, type Client } from '@temporalio/client'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { below, createHiddenConversation } from '../../db/queries/child-turns.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { claimTurn } from '../../db/queries/turn-starts.ts'
import { findTurn, insertTurn } from '../../db/queries/turns.ts'
import { runSweeper } from '../../workers/sweeper.ts'
import { dialects } from '../support/dialects.ts'
import { aTurn, insert, inTx } from '../support/turn-rows.ts'

/** A running turn, and one below it whose workflow has not been started. */
async function setUp() {
  const storage = await (await dialects[0]!.fresh()).open()
  const { id: conversation } = await createConversation(storage.db, { agent_id: 'agent', user_id: 'user' })
  const root = await insert(storage, conversation)
  const child = await inTx(storage, async (tx) => {
    await claimTurn(tx, root, 'run')
    const turn = (await findTurn(tx, root))!
    const hidden = await createHiddenConversation(tx, turn, 'agent')
    const asked = aTurn(hidden, { below: below(turn, 'call_1_1') })
    await insertTurn(tx, asked, 'active')
    return asked.turn_id
  })
  const states = new Map<string, 'RUNNING' | 'TERMINATED'>()
  const started: string[] = []
  const described: string[] = []
  const getHandle = (id: string) => ({
    describe: async () => {
      described.push(id)
      const name = states.get(id)
      if (!name) throw new WorkflowNotFoundError('not found', id, undefined)
      return { status: { name } }
    },
  })
  /** One pass, for which every turn is old enough, at least until a condition holds. */
  const sweep = async (until: () => Promise<void>) => {
    const stop = new AbortController()
    const options = {
      client: { workflow: { getHandle } } as unknown as Client,
      storage,
      hidden: storage.hidden,
      vectors: { discard: async () => undefined },
      log: pino({ level: 'silent' }),
      startTurn: async ({ id }: { id: string }) => void started.push(id),
      startMemory: async () => undefined,
      interval_ms: 60_000,
      min_age_ms: -60_000,
      retention: { event_log_days: 7, log_days: 90, embedding_days: 30, orphan_file_days: 7, audit_days: 90 },
    }
    const sweeping = runSweeper(options, stop.signal)
    await until()
    stop.abort()
    await sweeping
  }
  const statuses = async () => {
    const turns = await Promise.all([root, child].map((id) => findTurn(storage.db, id)))
    return turns.map((turn) => turn?.status)
  }
  return { storage, root, child, states, started, described, sweep, statuses }
}

it('leaves a turn alone that its parent has yet to start', async () => {
  const { root, child, states, started, described, sweep, statuses } = await setUp()
  states.set(`turn/${root}`, 'RUNNING')
  await sweep(() => expect.poll(() => described).toEqual([root, child, root].map((id) => `turn/${id}`)))
  expect([await statuses(), started]).toEqual([['running', 'pending'], []])
})

it('gives up a turn whose parent has ended without having started it', async () => {
  const { root, states, started, sweep, statuses } = await setUp()
  states.set(`turn/${root}`, 'TERMINATED')
  await sweep(() => expect.poll(statuses).toEqual(['failed', 'failed']))
  expect(started).toEqual([])
})

it('deletes old rows even when messages cannot be indexed', async () => {
  const { storage, states, root, sweep } = await setUp()
  states.set(`turn/${root}`, 'RUNNING')
  await dialects[0]!.refuseUpdates(storage.db, 'message_index', 'indexed')
  await storage.db.insertInto('request_counts').values({ hour: '2020-01-01T00', name: 'x', count: 1 }).execute()
  await sweep(() => expect.poll(() => storage.db.selectFrom('request_counts').selectAll().execute()).toEqual([]))
})
