// Embeds passages; vectors that cost much and were made before are read from the database.
import { findEmbeddings, hashOf, storeEmbeddings } from '../db/queries/embeddings.ts'
import type { Db } from '../db/schema.ts'
import { ProviderFailure } from '../providers/failure.ts'
import type { IndexEmbedder } from '../vectors/search-index.ts'

/** Answers of an embedding server to a text that it will never take: it is found by its words only. */
const REFUSED_TEXT = [400, 413, 422]

/** Whether an embedding server has refused the texts themselves. */
export function isRefusedText(error: unknown): error is ProviderFailure {
  return error instanceof ProviderFailure && REFUSED_TEXT.includes(error.status ?? 0)
}

/** Texts that are embedded and stored before the next ones: what was paid for is kept when the rest takes too long. */
const STORED_AT_ONCE = 100

export async function embedOnce(
  db: Db,
  embedder: IndexEmbedder,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<Float32Array[]> {
  if (!embedder.isCostly) return embedder.embed([...texts], signal)
  const hashes = texts.map(hashOf)
  const known = await findEmbeddings(db, embedder.model, [...new Set(hashes)])
  const missing = new Map(
    texts.map((text, index) => [hashes[index]!, text]).filter(([hash]) => !known.has(hash!)) as [string, string][],
  )
  const left = [...missing]
  while (left.length > 0) {
    const batch = left.splice(0, STORED_AT_ONCE)
    const embedded = await embedder.embed(
      batch.map(([, text]) => text),
      signal,
    )
    const made = new Map(batch.map(([hash], index) => [hash, embedded[index]!]))
    await storeEmbeddings(db, embedder.model, made)
    for (const [hash, vector] of made) known.set(hash, vector)
  }
  return hashes.map((hash) => known.get(hash)!)
}
