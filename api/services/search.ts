// Search in a user's own messages: by words in all of them, and by meaning in those that agents remember.
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import { newId } from '../../contracts/ids.ts'
import { mapAll } from '../../contracts/map-all.ts'
import { queryWords } from '../../contracts/search-words.ts'
import { snippetOf } from '../../contracts/snippet.ts'
import { indexMessages } from '../../db/queries/index-messages.ts'
import {
  findSearchable,
  listRememberingAgents,
  matchMessages,
  readBeginnings,
} from '../../db/queries/message-search.ts'
import { meteredEmbedder } from '../../vectors/metered-embedder.ts'
import { searchMemories } from '../../vectors/find-memories.ts'
import { LEAST_SIMILARITY, type RecalledMemory } from '../../contracts/memory.ts'
import type { ApiContext } from './context.ts'

/** Time in which a search adds messages of the user to the index, if there are any that the sweeper has not added yet. */
const INDEXING_MS = 500
/** Agents whose memories are searched by meaning. */
const MOST_AGENTS = 20
const AGENTS_AT_ONCE = 4
/** Candidates of each ranking per requested result. */
const CANDIDATES_A_RESULT = 4
/** Smoothing constant of reciprocal rank fusion, as in the vector index. */
const K = 60

export interface MessageQuery {
  key_id: string | null
  user_id: string
  agent_id?: string | undefined
  query: string
  limit: number
}

export interface MessageResult {
  conversation_id: string
  message_id: string
  snippet: string
  created_at: string
  /** The larger of the cosine similarity and the share of the question's words in the message. */
  similarity: number
}

/** The best messages, best first. Without an embedding server they are found by their words only. */
export async function searchMessages(context: ApiContext, asked: MessageQuery): Promise<MessageResult[]> {
  const { db } = context.storage
  const words = queryWords(asked.query)
  const [{ remembered, weight }, byWords] = await Promise.all([
    byMeaning(context, asked),
    byWord(context, asked, words),
  ])
  const rows = await findSearchable(db, asked, {
    index_ids: byWords,
    message_ids: remembered.map(({ message_id }) => message_id),
  })
  const places = {
    words: new Map(byWords.map((id, place) => [id, place])),
    meaning: new Map(remembered.map(({ message_id }, place) => [message_id, place])),
  }
  const similarities = new Map(remembered.map(({ message_id, similarity }) => [message_id, similarity]))
  const score = (place: number | undefined) => (place === undefined ? 0 : 1 / (K + place + 1))
  const best = rows
    .map((row) => ({ row, score: score(places.words.get(row.index_id)) + weight * score(places.meaning.get(row.id)) }))
    .toSorted((a, b) => b.score - a.score)
    .slice(0, asked.limit)
  const contents = await readBeginnings(
    db,
    best.map(({ row }) => row.id),
  )
  const results: { score: number; result: MessageResult }[] = []
  for (const { row, score } of best) {
    const { id: message_id, conversation_id, created_at } = row
    const { text: snippet, coverage } = snippetOf(contents.get(message_id) ?? '', words)
    const similarity = Math.max(similarities.get(message_id) ?? 0, coverage)
    results.push({ score, result: { conversation_id, message_id, snippet, created_at, similarity } })
    await yieldToEventLoop()
  }
  // The first of each ranking have equal scores.
  return results
    .toSorted((a, b) => b.score - a.score || b.result.similarity - a.result.similarity)
    .map(({ result }) => result)
}

async function byWord(
  { storage: { db }, log }: ApiContext,
  { user_id, agent_id }: MessageQuery,
  words: ReturnType<typeof queryWords>,
): Promise<number[]> {
  await indexMessages(db, { user_id, ms: INDEXING_MS }).catch((error: unknown) =>
    log.warn({ err: error }, 'a search goes on without messages that could not be indexed'),
  )
  return matchMessages(db, { user_id, agent_id }, words)
}

async function byMeaning(
  { storage: { db }, index, closing, log }: ApiContext,
  { key_id, user_id, agent_id, query, limit }: MessageQuery,
): Promise<{ remembered: RecalledMemory[]; weight: number }> {
  const agents = await listRememberingAgents(db, { user_id, agent_id }, MOST_AGENTS)
  let weight = 1
  if (agents.length === 0) return { remembered: [], weight }
  try {
    const found = await index.use(async ({ embedder }) => {
      const booked = meteredEmbedder(db, embedder, newId('req'), { key_id, user_id, agent_id: null })
      const [vector] = await booked.embed([query], closing, 'query')
      const { model, message_weight: vector_weight } = embedder
      weight = vector_weight ?? 1
      const more = { text: query, model, vector: vector!, vector_weight, limit: limit * CANDIDATES_A_RESULT }
      const results: RecalledMemory[] = []
      for (let from = 0; from < agents.length; from += AGENTS_AT_ONCE) {
        const some = agents.slice(from, from + AGENTS_AT_ONCE)
        const found = await mapAll(some, (each) => searchMemories({ db, index }, { agent_id: each, user_id, ...more }))
        results.push(...found.flat())
      }
      return results
    })
    const remembered = found
      .filter(({ similarity }) => similarity >= LEAST_SIMILARITY)
      .toSorted((a, b) => b.similarity - a.similarity)
      .slice(0, limit * CANDIDATES_A_RESULT)
    return { remembered, weight }
  } catch (error) {
    log.warn({ err: error }, 'messages are searched by their words only')
    return { remembered: [], weight }
  }
}
