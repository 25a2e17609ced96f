// The live feed at its limits: readers that take nothing, open transactions without number, damaged rows.
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { ANYBODY } from '../../api/services/access.ts'
import { addAgent } from '../../api/services/agents.ts'
import { feedViewers } from '../../api/services/feed-viewers.ts'
import { Feed, type Viewers } from '../../api/services/feed.ts'
import { newId } from '../../contracts/ids.ts'
import { ChangeReader } from '../../db/change-reader.ts'
import type { Db } from '../../db/schema.ts'
import { agentContext } from '../support/agent-context.ts'
import { dialects } from '../support/dialects.ts'

const log = pino({ level: 'silent' })
const view = (ids: string[]) => Promise.resolve(new Map(ids.map((id) => [id, { id }])))
const viewers: Viewers = { conversations: view, turns: view, approvals: view, jobs: view, agents: view }

/** Notes changes as the triggers do. */
const note = (db: Db, count: number, row: { id?: number; created_at?: string } = {}) =>
  db
    .insertInto('changes')
    .values(
      Array.from({ length: count }, () => ({
        topic: 'turns' as const,
        item_id: newId('turn'),
        op: 'updated' as const,
        user_id: 'u',
        ...row,
      })),
    )
    .execute()

for (const dialect of dialects) {
  describe(dialect.name, () => {
    async function follow() {
      const { db } = await (await dialect.fresh()).open()
      const feed = new Feed({ db, viewers, log })
      const over = Promise.withResolvers<void>()
      const changes = await feed.subscribe(ANYBODY, ['turns'], new AbortController().signal, over.resolve)
      return { db, changes, over: over.promise }
    }

    it('drops a reader that takes nothing, with what waits for it', async () => {
      const { db, changes, over } = await follow()
      await note(db, 1_001)
      await over
      expect(await changes.next()).toEqual({ done: true, value: undefined })
    })

    it('ends for every reader when more changes are open than it asks for again', async () => {
      const { db, changes, over } = await follow()
      await note(db, 1, { id: 5_000 })
      await over
      await changes.return(undefined)
      // What is missing before an old change will not come any more.
      await db
        .updateTable('changes')
        .set({ created_at: new Date(Date.now() - 120_000).toISOString() })
        .execute()
      const reader = await ChangeReader.fromNow(db)
      await note(db, 1, { id: 5_002 })
      expect((await reader.read()).taken()).toBe(false)
    })

    it('leaves out an agent whose row is damaged', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      for (const id of ['damaged', 'sound'])
        await addAgent(agentContext(storage), ANYBODY, { id, description: 'Helps.', system_message: 'Help.' })
      await db.updateTable('agent_versions').set({ config: '{"private"' }).where('agent_id', '=', 'damaged').execute()
      const shown = feedViewers({ storage, namespace: 'default', temporalUiUrl: undefined, log })
      expect([...(await shown.agents(['damaged', 'sound', 'gone'])).keys()]).toEqual(['sound'])
    })
  })
}
