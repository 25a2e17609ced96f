// Uploaded files: their rows; the bytes are blobs.
import type { Insertable } from 'kysely'
import { notFound } from '../../contracts/failures.ts'
import { newId } from '../../contracts/ids.ts'
import { differencesOf } from '../dialect.ts'
import type { Db, FilesTable, Tx } from '../schema.ts'
import { noteBlob } from './noted-blobs.ts'

export type NewFile = Omit<Insertable<FilesTable>, 'id' | 'created_at'>

/** The owner of data that belongs to an agent instead of a user: user ids contain no slash. */
export function agentOwner(agentId: string): string {
  return `agent/${agentId}`
}

/** @param file without an id it gets a new one */
export async function insertFile(db: Db | Tx, file: NewFile & { id?: string }): Promise<FilesTable> {
  const row = { id: newId('file'), key_id: null, made_of: null, ...file, created_at: new Date().toISOString() }
  await db.insertInto('files').values(row).execute()
  return row
}

export function findFile(db: Db | Tx, id: string): Promise<FilesTable | undefined> {
  return db.selectFrom('files').selectAll().where('id', '=', id).executeTakeFirst()
}

/** The newest upload of a user with these bytes. */
export async function findSameFile(db: Db | Tx, user_id: string, sha256: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('files')
    .select('id')
    .where('user_id', '=', user_id)
    .where('sha256', '=', sha256)
    .where('made_of', 'is', null)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.id
}

export interface FileFilter {
  user_id?: string | undefined
  limit: number
  cursor?: string | undefined
}

/** Uploads, newest first, without derived files. */
export function listFiles(db: Db, { user_id, limit, cursor }: FileFilter): Promise<FilesTable[]> {
  let query = db.selectFrom('files').selectAll().where('made_of', 'is', null).orderBy('id', 'desc').limit(limit)
  if (user_id !== undefined) query = query.where('user_id', '=', user_id)
  if (cursor !== undefined) query = query.where('id', '<', cursor)
  return query.execute()
}

/** All files of a user, with derived ones. */
export function listFilesOf(db: Db, userId: string): Promise<FilesTable[]> {
  return db.selectFrom('files').selectAll().where('user_id', '=', userId).orderBy('id').execute()
}

/** The stored bytes of an owner, including derived files; equal files are stored once. */
export async function countBytes(db: Db | Tx, owner: string): Promise<number> {
  const { bytes } = await db
    .selectFrom((eb) =>
      eb
        .selectFrom('files')
        .select((of) => of.fn.max('size').as('size'))
        .where('user_id', '=', owner)
        .groupBy('sha256')
        .as('stored'),
    )
    .select((eb) => eb.fn.sum<number | string | null>('size').as('bytes'))
    .executeTakeFirstOrThrow()
  return Number(bytes ?? 0)
}

/** Keeps a file until the transaction ends, for a job that is to read it. @returns whether there is such a file */
export async function holdFile(tx: Tx, id: string): Promise<boolean> {
  return (await tx.selectFrom('files').select('id').where('id', '=', id).forShare().executeTakeFirst()) !== undefined
}

/** The same. @throws MuxiError not_found */
export async function holdFileOrThrow(tx: Tx, id: string): Promise<void> {
  if (!(await holdFile(tx, id))) throw notFound('file', id)
}

/** Locks a file for its deletion: jobs that are about to read it come before or find it deleted. */
export async function lockFile(tx: Tx, id: string): Promise<void> {
  await tx.selectFrom('files').select('id').where('id', '=', id).forUpdate().execute()
}

/** Whether an ingestion still reads the file. */
export async function isInUse(db: Db | Tx, id: string): Promise<boolean> {
  const row = await db
    .selectFrom('jobs')
    .select('id')
    .where('file_id', '=', id)
    .where('status', 'in', ['queued', 'running'])
    .executeTakeFirst()
  return row !== undefined
}

/** Deletes a file with its extracted text. @returns whether nothing else refers to the same bytes */
export async function deleteFile(tx: Tx, file: Pick<FilesTable, 'id' | 'user_id' | 'sha256'>): Promise<boolean> {
  // Locked: of two concurrent deletions of the same bytes, the second must see the first.
  await differencesOf(tx).lockNames(tx, [`file/${file.user_id}/${file.sha256}`])
  const jobs = tx.selectFrom('jobs').select('id').where('file_id', '=', file.id)
  for (const table of ['job_batches', 'ocr_pages', 'job_summaries'] as const)
    await tx.deleteFrom(table).where('job_id', 'in', jobs).execute()
  await tx.updateTable('jobs').set({ media: null }).where('file_id', '=', file.id).execute()
  await tx.deleteFrom('files').where('id', '=', file.id).execute()
  const other = await tx
    .selectFrom('files')
    .select('id')
    .where('user_id', '=', file.user_id)
    .where('sha256', '=', file.sha256)
    .executeTakeFirst()
  // The process may die before it removes the bytes.
  if (!other) await noteBlob(tx, { owner: file.user_id, sha256: file.sha256 })
  return other === undefined
}

/** Derived files: image variants for models, thumbnails, prepared recordings. */
export function listMadeOf(db: Db | Tx, id: string): Promise<FilesTable[]> {
  return db.selectFrom('files').selectAll().where('made_of', '=', id).execute()
}

/** Files created before a given time that no ingestion has read or will read, and that are not derived from an existing one, by id. */
export function listUnread(db: Db, createdBefore: string, limit: number, after: string): Promise<FilesTable[]> {
  return db
    .selectFrom('files')
    .selectAll()
    .where('created_at', '<', createdBefore)
    .where('id', '>', after)
    .where((eb) => eb.not(eb.exists(eb.selectFrom('jobs').select('jobs.id').whereRef('jobs.file_id', '=', 'files.id'))))
    .where((eb) =>
      eb.not(
        eb.exists(eb.selectFrom('files as origin').select('origin.id').whereRef('origin.id', '=', 'files.made_of')),
      ),
    )
    .orderBy('id')
    .limit(limit)
    .execute()
}

/** Whether the bytes of a file are part of a message of its user. */
export async function isAttached(db: Db | Tx, file: Pick<FilesTable, 'user_id' | 'sha256'>): Promise<boolean> {
  const row = await db
    .selectFrom('messages')
    .innerJoin('turns', 'turns.id', 'messages.turn_id')
    .select('messages.id')
    .where('turns.user_id', '=', file.user_id)
    .where('attachments', 'like', `%"sha256":"${file.sha256}"%`)
    .executeTakeFirst()
  return row !== undefined
}

/** Whether a file, a message or a tool result refers to these bytes. */
export async function isReferred(db: Db, { owner, sha256 }: { owner: string; sha256: string }): Promise<boolean> {
  const file = await db
    .selectFrom('files')
    .select('id')
    .where('user_id', '=', owner)
    .where('sha256', '=', sha256)
    .executeTakeFirst()
  if (file || (await isAttached(db, { user_id: owner, sha256 }))) return true
  const answer = await db
    .selectFrom('tool_calls')
    .innerJoin('turns', 'turns.id', 'tool_calls.turn_id')
    .select('tool_calls.call_id')
    .where('turns.user_id', '=', owner)
    .where('tool_calls.images', 'like', `%"sha256":"${sha256}"%`)
    .executeTakeFirst()
  return answer !== undefined
}
