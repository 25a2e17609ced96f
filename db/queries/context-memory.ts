// Context memory in rows: what is known about a user, and which message each field came from.
import {
  concerns,
  deleteFields,
  mergeKnowledge,
  MAX_KNOWLEDGE_BYTES,
  type FieldSource,
  type Knowledge,
} from '../../contracts/knowledge.ts'
import { contextKnowledge, contextSources } from '../columns.ts'
import { differencesOf } from '../dialect.ts'
import { parseColumn } from '../json-column.ts'
import type { Db, Tx } from '../schema.ts'

export interface ContextMemory {
  knowledge: Knowledge
  /** By dotted path. */
  sources: Record<string, FieldSource>
  updated_at: string
}

/** What is known about a user; undefined when nothing is. */
export async function findContextMemory(db: Db | Tx, userId: string): Promise<ContextMemory | undefined> {
  const row = await db.selectFrom('context_memories').selectAll().where('user_id', '=', userId).executeTakeFirst()
  return (
    row && {
      knowledge: parseColumn(contextKnowledge, row.knowledge, userId) ?? {},
      sources: parseColumn(contextSources, row.sources, userId) ?? {},
      updated_at: row.updated_at,
    }
  )
}

/** Knowledge that would be longer than the limit. */
export class KnowledgeTooLong extends Error {}

/**
 * Merges fields into what is known about a user, each with its source.
 * @returns the dotted paths of the fields that were set @throws KnowledgeTooLong
 */
export async function mergeContextMemory(
  tx: Tx,
  userId: string,
  patch: Knowledge,
  source: Omit<FieldSource, 'at'>,
): Promise<string[]> {
  const known = await lockContextMemory(tx, userId)
  const { knowledge, changed } = mergeKnowledge(known.knowledge, patch)
  if (changed.length === 0) return []
  const sources = withoutFields(known.sources, changed)
  const at = new Date().toISOString()
  for (const path of changed) sources[path] = { at, ...source }
  await write(tx, userId, { knowledge, sources, updated_at: at })
  return changed
}

/** Deletes fields by dotted paths. @returns the paths that existed */
export async function deleteContextFields(tx: Tx, userId: string, paths: readonly string[]): Promise<string[]> {
  const known = await lockContextMemory(tx, userId)
  const { knowledge, deleted } = deleteFields(known.knowledge, paths)
  if (deleted.length === 0) return []
  // The source of an object from which only some fields were deleted stays.
  const sources = Object.fromEntries(
    Object.entries(known.sources).filter(
      ([field]) => !deleted.some((path) => field === path || field.startsWith(`${path}.`)),
    ),
  )
  if (Object.keys(knowledge).length === 0) await deleteContextMemory(tx, userId)
  else await write(tx, userId, { knowledge, sources, updated_at: new Date().toISOString() })
  return deleted
}

/** Deletes all that is known about a user. @returns the top-level names */
export async function deleteContextMemory(tx: Tx, userId: string): Promise<string[]> {
  const known = await lockContextMemory(tx, userId)
  await tx.deleteFrom('context_memories').where('user_id', '=', userId).execute()
  return Object.keys(known.knowledge)
}

/** Serializes changes of one user's knowledge until the transaction ends, and reads it. */
async function lockContextMemory(tx: Tx, userId: string): Promise<Omit<ContextMemory, 'updated_at'>> {
  await differencesOf(tx).lockNames(tx, [`context/${userId}`])
  return (await findContextMemory(tx, userId)) ?? { knowledge: {}, sources: {} }
}

async function write(tx: Tx, user_id: string, { knowledge, sources, updated_at }: ContextMemory): Promise<void> {
  const text = JSON.stringify(knowledge)
  if (Buffer.byteLength(text) > MAX_KNOWLEDGE_BYTES) throw new KnowledgeTooLong()
  const row = { knowledge: text, sources: JSON.stringify(sources), updated_at }
  await tx
    .insertInto('context_memories')
    .values({ user_id, ...row })
    .onConflict((oc) => oc.column('user_id').doUpdateSet(row))
    .execute()
}

function withoutFields(sources: Record<string, FieldSource>, paths: readonly string[]): Record<string, FieldSource> {
  return Object.fromEntries(Object.entries(sources).filter(([field]) => !paths.some((path) => concerns(field, path))))
}
