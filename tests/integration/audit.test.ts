// Audit entries that several processes write at the same time, on both databases.
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { Audit } from '../../api/services/audit.ts'
import { insertAudit } from '../../db/queries/audit.ts'
import type { Db } from '../../db/schema.ts'
import { dialects } from '../support/dialects.ts'

const log = pino({ level: 'silent' })
const auditOf = (db: Db) => new Audit({ db, pseudonym: (user) => `hash of ${user}`, log })
const change = (path: string) => ({
  principal: { key_id: 'key_1', bound_user: undefined },
  address: '10.0.0.1',
  action: 'POST',
  path,
  status: 201,
  request_id: null,
})

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('every entry of four processes that write at the same time is there once', async () => {
      const database = await dialect.fresh()
      const storages = await Promise.all([0, 1, 2, 3].map(() => database.open()))
      const audits = storages.map(({ db }) => auditOf(db))
      const paths = audits.flatMap((audit, process) =>
        Array.from({ length: 350 }, (_, index) => {
          const path = `/api/v1/agents/${process}-${index}`
          audit.note(change(path))
          return path
        }),
      )
      await Promise.all(audits.map((audit) => audit.close()))
      const rows = await storages[0]!.db.selectFrom('audit_entries').select(['id', 'path']).execute()
      expect(rows.map(({ path }) => path).toSorted()).toEqual(paths.toSorted())
      expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
    })

    it('a batch that is written again while its first write goes on adds nothing', async () => {
      const database = await dialect.fresh()
      const [one, two] = [await database.open(), await database.open()]
      const entries = Array.from({ length: 100 }, (_, index) => ({
        id: `aud_${index}`,
        at: new Date().toISOString(),
        key_id: null,
        user_hash: null,
        address: null,
        action: 'POST',
        path: `/api/v1/agents/${index}`,
        status: 201,
        request_id: null,
        count: 1,
      }))
      // In opposite orders: a write that waited for a row of the other would be a deadlock.
      await Promise.all([insertAudit(one.db, entries), insertAudit(two.db, entries.toReversed())])
      expect(await one.db.selectFrom('audit_entries').select('id').execute()).toHaveLength(100)
    })
  })
}
