// The audit: added in batches, read in pages.
import { newId } from '../../contracts/ids.ts'
import type { AuditEntriesTable, Db } from '../schema.ts'

export type AuditEntry = Omit<AuditEntriesTable, 'id'>

export async function insertAudit(db: Db, entries: readonly AuditEntry[]): Promise<void> {
  await db
    .insertInto('audit_entries')
    .values(entries.map((entry) => ({ id: newId('aud'), ...entry })))
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
