// Two rankings made one, by reciprocal rank: no scores need to be compared.
import type { Hit } from './vector-store.ts'

/** Weakens the lead of the first places (Cormack and others, 2009). */
const K = 60
/** Places of each ranking that are looked at, for every hit wanted. */
export const CANDIDATES_A_HIT = 4
const LEAST_CANDIDATES = 40

/** How many places of each ranking a search looks at. */
export function candidatesFor(topK: number, most: number): number {
  return Math.min(Math.max(topK * CANDIDATES_A_HIT, LEAST_CANDIDATES), most)
}

/** The best ids with their scores, best first; of each ranking, what is less comes first. */
export function fuseRanks(rankings: Map<number, number>[], topK: number): [id: number, score: number][] {
  const scores = new Map<number, number>()
  for (const ranking of rankings) {
    const ascending = [...ranking].toSorted(([a, x], [b, y]) => x - y || a - b)
    for (const [place, [id]] of ascending.entries()) scores.set(id, (scores.get(id) ?? 0) + 1 / (K + place + 1))
  }
  return [...scores].toSorted(([a, x], [b, y]) => y - x || a - b).slice(0, topK)
}

/** A chunk that may be seen. */
export interface VisibleChunk {
  id: number
  document_id: string
  page: number
  heading: string | null
  content: string
  knowledge_id: string | null
}

export function toHit(chunk: VisibleChunk, similarity: number, score: number): Hit {
  const { content, document_id, page, knowledge_id, heading } = chunk
  return {
    content,
    similarity,
    document_id,
    page,
    score,
    ...(knowledge_id !== null && { knowledge_id }),
    ...(heading !== null && { heading }),
  }
}
