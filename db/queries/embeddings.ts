// Cache of vectors from an embedding server, by the hash of their text: the same text is not billed twice.
import { createHash } from 'node:crypto'
import type { Db } from '../schema.ts'

/** About 2 kB each. */
const MOST = 200_000
const ROWS = 500
const DAY_MS = 86_400_000

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

/** @param model with its dimension, as in the embedder's id */
export async function findEmbeddings(db: Db, model: string, hashes: string[]): Promise<Map<string, Float32Array>> {
  if (hashes.length === 0) return new Map()
  const rows = await db
    .selectFrom('embeddings')
    .select(['hash', 'vector', 'used_at'])
    .where('model', '=', model)
    .where('hash', 'in', hashes)
    .execute()
  const now = Date.now()
  const old = rows.filter(({ used_at }) => Date.parse(used_at) < now - DAY_MS).map(({ hash }) => hash)
  if (old.length > 0)
    await db
      .updateTable('embeddings')
      .set({ used_at: new Date(now).toISOString() })
      .where('model', '=', model)
      .where('hash', 'in', old)
      .execute()
  return new Map(rows.map(({ hash, vector }) => [hash, fromText(vector)]))
}

export async function storeEmbeddings(
  db: Db,
  model: string,
  vectors: ReadonlyMap<string, Float32Array>,
): Promise<void> {
  if (vectors.size === 0) return
  const used_at = new Date().toISOString()
  // In one order: a row that another write has added waits for its transaction.
  const sorted = [...vectors].toSorted(([a], [b]) => (a < b ? -1 : 1))
  await db
    .insertInto('embeddings')
    .values(sorted.map(([hash, vector]) => ({ model, hash, vector: toText(vector), used_at })))
    .onConflict((oc) => oc.doNothing())
    .execute()
}

/** Deletes the cached vectors of texts, of every model. */
export async function deleteEmbeddings(db: Db, texts: readonly string[]): Promise<void> {
  const hashes = [...new Set(texts.map(hashOf))]
  for (let from = 0; from < hashes.length; from += ROWS)
    await db
      .deleteFrom('embeddings')
      .where('hash', 'in', hashes.slice(from, from + ROWS))
      .execute()
}

/** Deletes the cached vectors of a model. */
export async function deleteEmbeddingsOf(db: Db, model: string): Promise<void> {
  for (let deleted = ROWS; deleted === ROWS;) {
    const some = db.selectFrom('embeddings').select('hash').where('model', '=', model).limit(ROWS)
    const result = await db
      .deleteFrom('embeddings')
      .where('model', '=', model)
      .where('hash', 'in', some)
      .executeTakeFirst()
    deleted = Number(result.numDeletedRows)
  }
}

/** Evicts vectors that were not used for long, and the oldest beyond the limit. @returns how many */
export async function forgetEmbeddings(
  db: Db,
  before: string,
  signal: AbortSignal,
  most: number = MOST,
): Promise<number> {
  let total = 0
  for (let deleted = ROWS; deleted === ROWS && !signal.aborted; total += deleted) {
    deleted = await forgetSome(db, before)
  }
  const [oldest] = await db
    .selectFrom('embeddings')
    .select('used_at')
    .orderBy('used_at', 'desc')
    .offset(most)
    .limit(1)
    .execute()
  if (oldest) {
    const result = await db.deleteFrom('embeddings').where('used_at', '<=', oldest.used_at).executeTakeFirst()
    total += Number(result.numDeletedRows)
  }
  return total
}

async function forgetSome(db: Db, before: string): Promise<number> {
  const old = await db
    .selectFrom('embeddings')
    .select(['model', 'hash'])
    .where('used_at', '<', before)
    .limit(ROWS)
    .execute()
  for (const model of new Set(old.map((row) => row.model))) {
    const hashes = old.filter((row) => row.model === model).map(({ hash }) => hash)
    await db.deleteFrom('embeddings').where('model', '=', model).where('hash', 'in', hashes).execute()
  }
  return old.length
}

function toText(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
}

function fromText(text: string): Float32Array {
  // Copied: a small buffer is a slice of a shared pool, whose `buffer` is the whole pool.
  return new Float32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer)
}
