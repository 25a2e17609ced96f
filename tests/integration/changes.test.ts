// What is noted for the live feed: by the database, with any writer, and read in the order of commits.
import { describe, expect, it } from 'vitest'
import { newId } from '../../contracts/ids.ts'
import { ChangeReader, type Change } from '../../db/change-reader.ts'
import { deleteOldChanges } from '../../db/queries/changes.ts'
import { changeConversation, createConversation, deleteConversation } from '../../db/queries/conversations.ts'
import { ensureDefaultConversation } from '../../db/queries/default-conversations.ts'
import { insertJob } from '../../db/queries/jobs.ts'
import type { Db } from '../../db/schema.ts'
import { dialects } from '../support/dialects.ts'
import { aTurn, end, insert, inTx } from '../support/turn-rows.ts'

async function next(reader: ChangeReader): Promise<Change[]> {
  const { changes, taken } = await reader.read()
  taken()
  return changes
}

const short = (changes: readonly Change[]) => changes.map(({ topic, op, item_id }) => `${topic} ${op} ${item_id}`)

function approval(turn_id: string) {
  return {
    id: newId('appr'),
    turn_id,
    call_id: 'call_1_1',
    place: 'gate',
    user_id: 'user',
    agent_id: 'agent',
    kind: 'tool',
    name: 'tool',
    server: 'server',
    status: 'waiting',
    created_at: new Date().toISOString(),
  } as const
}

const agents = (db: Db) => ({
  add: () =>
    db
      .insertInto('agents')
      .values({
        id: 'a',
        version: 1,
        source: 'api',
        file: null,
        description: '',
        created_at: '',
        updated_at: '',
        deleted_at: null,
      })
      .execute(),
  change: (change: { version?: number; deleted_at?: string | null; updated_at?: string }) =>
    db.updateTable('agents').set(change).where('id', '=', 'a').execute(),
})

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('notes what changes in lists, with any writer, and nothing else', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      const reader = await ChangeReader.fromNow(db)
      const { id } = await createConversation(db, { agent_id: 'agent', user_id: 'user' })
      await changeConversation(db, id, { title: 'Boats' })
      await changeConversation(db, id, { title: 'Boats' })
      expect(await next(reader)).toEqual([
        { id: expect.any(Number), topic: 'conversations', item_id: id, op: 'created', user_id: 'user' },
        { id: expect.any(Number), topic: 'conversations', item_id: id, op: 'updated', user_id: 'user' },
      ])

      const turn = await insert(storage, id)
      expect(short(await next(reader))).toEqual([`turns created ${turn}`, `conversations updated ${id}`])
      const writer = { scope: 'step_1', fence: 1 }
      await storage.events.begin(turn, writer)
      for (const content of ['many', 'words'])
        await storage.events.append(turn, writer, [{ event: { type: 'content', data: { content, step: 1 } } }])
      expect(await next(reader)).toEqual([])
      await db.insertInto('approvals').values(approval(turn)).execute()
      await db.updateTable('approvals').set({ status: 'decided', decision: 'approve' }).execute()
      await db.updateTable('approvals').set({ taken_at: 'now' }).execute()
      await end(storage, turn, 'failed')
      expect(short(await next(reader)).filter((each) => !each.startsWith('approvals'))).toEqual(
        expect.arrayContaining([`turns updated ${turn}`]),
      )

      for (const superseded_by of ['turn_2', null]) {
        await db.updateTable('turns').set({ superseded_by }).execute()
        expect(short(await next(reader))).toEqual([`turns updated ${turn}`])
      }

      const file = { id: 'file_1', user_id: 'user', name: 'a.txt', sha256: 'x' }
      const job = await inTx(storage, (tx) => insertJob(tx, { file, key_id: null }))
      await db.updateTable('jobs').set({ stage: 'parsing', done: 1 }).execute()
      expect(short(await next(reader))).toEqual([`jobs created ${job.id}`, `jobs updated ${job.id}`])

      const { add, change } = agents(db)
      await add()
      await change({ updated_at: 'x' })
      for (const each of [{ version: 2 }, { deleted_at: 'now' }, { deleted_at: null, version: 3 }]) await change(each)
      const ops = ['created', 'updated', 'deleted', 'created']
      expect(short(await next(reader))).toEqual(ops.map((op) => `agents ${op} a`))

      await inTx(storage, (tx) => deleteConversation(tx, id))
      const deleted = short(await next(reader))
      expect(deleted).toEqual(expect.arrayContaining([`turns deleted ${turn}`, `conversations deleted ${id}`]))
    })

    it('notes approvals', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      const reader = await ChangeReader.fromNow(db)
      const row = approval('turn_1')
      await db.insertInto('approvals').values(row).execute()
      await db.updateTable('approvals').set({ status: 'decided', decision: 'approve' }).execute()
      await db.updateTable('approvals').set({ taken_at: 'now' }).execute()
      await db.deleteFrom('approvals').execute()
      const ops = ['created', 'updated', 'deleted']
      expect(short(await next(reader))).toEqual(ops.map((op) => `approvals ${op} ${row.id}`))
    })

    it('notes nothing of what agents ask each other', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      const root = await ensureDefaultConversation(db, 'agent', 'user')
      const turn = await insert(storage, root)
      const hidden = { id: newId('conv'), agent_id: 'agent', user_id: 'user', created_at: '', hidden_in: root }
      const reader = await ChangeReader.fromNow(db)
      await db.insertInto('conversations').values(hidden).execute()
      const below = { parent_turn_id: turn, parent_call_id: 'c', root_turn_id: turn, root_call_id: 'c', depth: 1 }
      const asked = await insert(storage, hidden.id, { ...aTurn(hidden.id), below })
      await end(storage, asked, 'failed')
      expect(await next(reader)).toEqual([])
    })

    it('reads a change that is committed after a later one, once', async () => {
      const database = await dialect.fresh()
      const { db } = await database.open()
      const other = await database.open()
      const made = (id: string) => ({ id, agent_id: 'agent', user_id: 'user', created_at: '' })
      await db.insertInto('conversations').values(made('conv_0')).execute()
      const [began, may] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const slow = inTx(other, async (tx) => {
        await tx.insertInto('conversations').values(made('conv_1')).execute()
        began.resolve()
        await may.promise
      })
      await began.promise
      // SQLite has one writer at a time.
      if (dialect.name === 'sqlite') {
        may.resolve()
        await slow
      }
      await db.insertInto('conversations').values(made('conv_2')).execute()
      const reader = await ChangeReader.fromNow(db)
      await db.insertInto('conversations').values(made('conv_3')).execute()
      expect((await next(reader)).map(({ item_id }) => item_id)).toEqual(['conv_3'])
      may.resolve()
      await slow
      const late = dialect.name === 'sqlite' ? [] : ['conv_1']
      expect((await next(reader)).map(({ item_id }) => item_id)).toEqual(late)
      expect(await next(reader)).toEqual([])
    })

    it('deletes changes after minutes, except the newest', async () => {
      const { db } = await (await dialect.fresh()).open()
      for (const _ of [1, 2, 3]) await createConversation(db, { agent_id: 'agent', user_id: 'user' })
      await deleteOldChanges(db)
      const left = () => db.selectFrom('changes').select('id').execute()
      expect(await left()).toHaveLength(3)
      await db
        .updateTable('changes')
        .set({ created_at: new Date(Date.now() - 600_000).toISOString() })
        .execute()
      await deleteOldChanges(db)
      expect(await left()).toHaveLength(1)
    })
  })
}
