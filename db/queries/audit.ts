// The audit: added in batches, read in pages.
import { sql } from 'kysely'
import type { AuditEntriesTable, Db } from '../schema.ts'

/** Adds entries; those that an earlier attempt has added stay as they are. */
export async function insertAudit(db: Db, entries: readonly AuditEntriesTable[]): Promise<void> {
  // In one order: a row that another write has added waits for its transaction.
  const rows = entries.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  await db
    .insertInto('audit_entries')
    .values(rows)
    .onConflict((oc) => oc.doNothing())
    .execute()
}

export interface AuditFilter {
  key_id?: string | undefined
  /** Status codes from 400 on. */
  refused?: boolean | undefined
  /** Not before. */
  since?: string | undefined
  limit: number
  cursor?: string | undefined
}

/** Newest first. */
export function listAudit(
  db: Db,
  { key_id, refused, since, limit, cursor }: AuditFilter,
): Promise<AuditEntriesTable[]> {
  let query = db.selectFrom('audit_entries').selectAll().orderBy('id', 'desc').limit(limit)
  if (key_id !== undefined) query = query.where('key_id', '=', key_id)
  if (refused === true) query = query.where('status', '>=', 400)
  if (since !== undefined) query = query.where('at', '>=', since)
  if (cursor !== undefined) query = query.where('id', '<', cursor)
  return query.execute()
}

/** Takes a user out of the audit; the entries stay. */
export async function forgetAudited(db: Db, userHash: string): Promise<void> {
  await db
    .updateTable('audit_entries')
    .set({ user_hash: null, path: sql<string>`replace(path, ${userHash}, '-')` })
    .where((eb) => eb.or([eb('user_hash', '=', userHash), eb('path', 'like', `/api/v1/users/${userHash}%`)]))
    .execute()
}
