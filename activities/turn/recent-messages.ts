// The buffer beyond the latest messages: older messages of the conversation that are nearest in meaning to the question. Read from
// rows, so the same in every process and after a restart.
import { embeddedTexts, LEAST_SIMILARITY, type RecalledMemory } from '../../contracts/memory.ts'
import { listOlder, type OlderMessage } from '../../db/queries/conversations.ts'
import { hashOf } from '../../db/queries/embeddings.ts'
import type { Db } from '../../db/schema.ts'
import type { IndexEmbedder } from '../../vectors/search-index.ts'
import { dot } from '../../providers/embedder-vectors.ts'
import { embedOnce } from '../embed-once.ts'

/** Messages that are shown. */
const NEAREST = 4
/** Vectors kept by a process, in bytes. */
const CACHE_BYTES = 8 * 2 ** 20

/** Vectors of messages by the hash of their text, so that a conversation is not embedded again for each of its turns. */
export class MessageVectors {
  readonly #db: Db
  readonly #known = new Map<string, Float32Array>()
  /** That made them. */
  #model = ''

  constructor(db: Db) {
    this.#db = db
  }

  async embedQuery(embedder: IndexEmbedder, query: string, signal: AbortSignal): Promise<Float32Array> {
    const [vector] = embedder.separatesQueries
      ? await embedder.embed([query], signal, 'query')
      : await this.embed(embedder, [query], signal)
    return vector!
  }

  /** The vectors of texts, in one request for those that are not known. */
  async embed(embedder: IndexEmbedder, texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]> {
    const hashes = texts.map(hashOf)
    this.#forgetOthers(embedder)
    const missing = texts.filter((_, index) => !this.#known.has(hashes[index]!))
    const kept = new Map(hashes.flatMap((hash) => (this.#known.has(hash) ? [[hash, this.#known.get(hash)!]] : [])))
    const made = missing.length === 0 ? [] : await embedOnce(this.#db, embedder, missing, signal)
    const found = new Map(missing.map((text, index) => [hashOf(text), made[index]!]))
    const vectors = hashes.map((hash) => kept.get(hash) ?? found.get(hash)!)
    // Meanwhile those of another model may have taken their place.
    if (this.#model !== embedder.model) return vectors
    const most = Math.floor(CACHE_BYTES / (embedder.dimension * Float32Array.BYTES_PER_ELEMENT))
    for (const [index, hash] of hashes.entries()) {
      // Again at the end of the order: the least recently used are evicted.
      this.#known.delete(hash)
      this.#known.set(hash, vectors[index]!)
    }
    for (const hash of this.#known.keys()) {
      if (this.#known.size <= most) break
      this.#known.delete(hash)
    }
    return vectors
  }

  #forgetOthers({ model }: IndexEmbedder): void {
    if (this.#model === model) return
    this.#known.clear()
    this.#model = model
  }
}

/** Older messages of a conversation, oldest first: those before the latest, as far back as the buffer goes. */
export async function readOlder(
  db: Db,
  conversationId: string,
  oldestShown: string,
  limit: number,
): Promise<OlderMessage[]> {
  const older = await listOlder(db, conversationId, oldestShown, limit)
  return older.map((message) => ({ ...message, content: embeddedTexts(message.content).compared }))
}

/** Of older messages, those nearest to the question, oldest first. */
export function nearestOf(
  question: Float32Array,
  older: readonly OlderMessage[],
  vectors: readonly Float32Array[],
): RecalledMemory[] {
  return older
    .map(({ id, role, content, created_at }, index) => ({
      message_id: id,
      role,
      content,
      said_at: created_at,
      similarity: similarityOf(question, vectors[index]!),
      from: 'conversation' as const,
    }))
    .filter(({ similarity }) => similarity >= LEAST_SIMILARITY)
    .toSorted((a, b) => b.similarity - a.similarity)
    .slice(0, NEAREST)
    .toSorted((a, b) => (a.message_id < b.message_id ? -1 : 1))
}

/** The cosine, from 0 to 1; 0 for zero vectors. */
function similarityOf(a: Float32Array, b: Float32Array): number {
  const lengths = Math.sqrt(dot(a, a) * dot(b, b))
  return lengths === 0 ? 0 : Math.min(1, Math.max(0, dot(a, b) / lengths))
}
