// The upgrade of the turn engine from 0.1.0 in rows, on both databases. Temporal's part is three stub calls; it is exercised in e2e.
import type { Client } from '@temporalio/client'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import type { TurnStatus } from '../../contracts/turn.ts'
import { addEvents, readAllEvents } from '../../db/event-rows.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { startLogEntry } from '../../db/queries/log.ts'
import { acceptedEvent, findTurn, insertTurn, startEvent } from '../../db/queries/turns.ts'
import { insertUsage } from '../../db/queries/usage.ts'
import type { Storage } from '../../db/storage.ts'
import { upgradeTurns } from '../../workers/upgrade.ts'
import { dialects } from '../support/dialects.ts'
import { aRequest, aTurn, end, inTx } from '../support/turn-rows.ts'

const log = pino({ level: 'silent' })

/** A turn as 0.1.0 has left it: never activated. */
async function leave(storage: Storage, conversationId: string, status: TurnStatus): Promise<string> {
  const turn = { ...aTurn(conversationId), agent_id: 'agent', created_at: new Date().toISOString() }
  const { turn_id } = turn
  const isBegun = status === 'running' || status === 'awaiting_approval'
  await inTx(storage, async (tx) => {
    await insertTurn(tx, turn, 'waiting')
    const stamp = new Date().toISOString()
    await tx
      .updateTable('turns')
      .set({ status, accepted_at: status === 'pending' ? null : stamp, started_at: isBegun ? stamp : null })
      .where('id', '=', turn_id)
      .execute()
    if (status === 'pending') return
    await addEvents(tx, turn_id, undefined, [
      acceptedEvent(turn_id, turn),
      ...(isBegun ? [startEvent(turn_id, { ...turn, routing_confidence: null })] : []),
    ])
  })
  return turn_id
}

/** What is asked of Temporal. */
function temporal(workflows: string[], pollers: { identity: string; lastAccessTime: { seconds: number } }[] = []) {
  const terminated: string[] = []
  const client = {
    connection: { workflowService: { describeTaskQueue: async () => ({ pollers }) } },
    workflow: {
      list: async function* () {
        for (const workflowId of workflows) yield { workflowId, runId: 'run' }
      },
      getHandle: (workflowId: string) => ({
        terminate: async () => {
          if (terminated.includes(workflowId)) throw new Error('It is closed')
          terminated.push(workflowId)
        },
      }),
    },
  } as unknown as Client
  return { client, terminated }
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    async function open() {
      const database = await dialect.fresh()
      const [a, b] = [await database.open(), await database.open()]
      const of = { agent_id: 'agent', user_id: 'user' }
      const [busy, idle] = [(await createConversation(a.db, of)).id, (await createConversation(a.db, of)).id]
      await a.db.updateTable('engine_state').set({ value: '0.1.0' }).where('name', '=', 'turn_engine').execute()
      const running = await leave(a, busy, 'running')
      const pending = await leave(a, busy, 'pending')
      const queued = [await leave(a, busy, 'queued'), await leave(a, busy, 'queued')]
      const parked = await leave(a, idle, 'awaiting_approval')
      const started: string[] = []
      const upgrade = (storage: Storage, client: Client) =>
        upgradeTurns({
          client,
          namespace: 'default',
          storage,
          startTurn: async ({ id }) => {
            started.push(id)
          },
          log,
        })
      const state = () => a.db.selectFrom('engine_state').select('value').executeTakeFirst()
      return { a, b, busy, idle, running, pending, queued, parked, started, upgrade, state }
    }
    const statusOf = async ({ db }: Storage, id: string) => {
      const { status, error } = (await findTurn(db, id))!
      return [status, error === null ? null : (JSON.parse(error) as { message: string }).message]
    }

    it('fails running and never accepted turns, starts waiting ones in order, and does nothing the second time', async () => {
      const { a, running, pending, queued, parked, started, upgrade, state } = await open()
      await insertUsage(a.db, aRequest(running))
      await inTx(a, (tx) =>
        startLogEntry(tx, {
          stream_id: running,
          kind: 'model_call',
          name: 'm',
          workflow_id: `turn/${running}`,
          activity_id: '1',
          attempt: 1,
        }),
      )
      const { client, terminated } = temporal(['conversation/c', `turn/${running}`, `tool/${running}/call_1_1`])
      await upgrade(a, client)
      expect(terminated).toEqual(['conversation/c', `turn/${running}`, `tool/${running}/call_1_1`])
      const interrupted = ['failed', 'The turn was interrupted by the upgrade to 0.2.0']
      expect(await statusOf(a, running)).toEqual(interrupted)
      expect(await statusOf(a, parked)).toEqual(interrupted)
      expect(await statusOf(a, pending)).toEqual(['failed', expect.stringContaining('never accepted')])
      expect((await readAllEvents(a.db, running)).at(-1)).toMatchObject({
        type: 'error',
        data: { message: interrupted[1] },
      })
      expect(await a.db.selectFrom('model_usage').select('status').execute()).toEqual([{ status: 'estimated' }])
      expect(await a.db.selectFrom('log_entries').select('status').execute()).toEqual([{ status: 'interrupted' }])
      expect(started).toEqual([queued[0]])
      expect(await findTurn(a.db, queued[0]!)).toMatchObject({ status: 'queued', activated_at: expect.any(String) })
      expect(await findTurn(a.db, queued[1]!)).toMatchObject({ status: 'queued', activated_at: null })
      expect(await state()).toEqual({ value: '0.2.0' })

      await upgrade(a, client)
      expect(started).toEqual([queued[0]])
      // What follows is the order of every queue.
      expect((await end(a, queued[0]!, 'completed'))?.next?.id).toBe(queued[1])
    })

    it('starts each turn once when two processes do it at once', async () => {
      const { a, b, running, queued, started, upgrade, state } = await open()
      const { client } = temporal(['conversation/c'])
      await Promise.all([upgrade(a, client), upgrade(b, client)])
      expect(started).toEqual([queued[0]])
      expect((await statusOf(b, running))[0]).toBe('failed')
      expect(await state()).toEqual({ value: '0.2.0' })
    })

    it('is idempotent after a kill in the middle', async () => {
      const { a, running, queued, started, upgrade, state } = await open()
      const { client } = temporal(['conversation/c'])
      const killed = upgradeTurns({
        client,
        namespace: 'default',
        storage: a,
        startTurn: () => Promise.reject(new Error('killed')),
        log,
      })
      await expect(killed).rejects.toThrow('killed')
      expect(await state()).toEqual({ value: '0.1.0' })
      await upgrade(a, client)
      expect(await state()).toEqual({ value: '0.2.0' })
      expect((await statusOf(a, running))[0]).toBe('failed')
      // Activated before the kill: the sweeper starts an accepted turn that has no workflow.
      expect(await findTurn(a.db, queued[0]!)).toMatchObject({ status: 'queued', activated_at: expect.any(String) })
      expect(await findTurn(a.db, queued[1]!)).toMatchObject({ activated_at: null })
      expect(started).toEqual([])
    })

    it('refuses while workers of 0.1.0 poll, and changes nothing', async () => {
      const { a, running, upgrade, state } = await open()
      const now = Math.floor(Date.now() / 1_000)
      const { client, terminated } = temporal(
        ['conversation/c'],
        [
          { identity: 'old@host', lastAccessTime: { seconds: now } },
          { identity: 'gone@host', lastAccessTime: { seconds: now - 3_600 } },
        ],
      )
      await expect(upgrade(a, client)).rejects.toThrow(/old@host still polls/)
      expect(terminated).toEqual([])
      expect(await statusOf(a, running)).toEqual(['running', null])
      expect(await state()).toEqual({ value: '0.1.0' })
    })

    it('does nothing in a database without turns of 0.1.0', async () => {
      const storage = await (await dialect.fresh()).open()
      const { client, terminated } = temporal(['conversation/c'])
      await upgradeTurns({ client, namespace: 'default', storage, startTurn: async () => undefined, log })
      expect(terminated).toEqual([])
    })
  })
}
