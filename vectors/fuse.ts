// Reciprocal rank fusion: combines two rankings without comparing scores.
import type { Hit } from './store.ts'
import type { VisibleChunk } from './visible-chunks.ts'

/** Smoothing constant of reciprocal rank fusion (Cormack et al., 2009). */
const K = 60
/** Candidates of each ranking per requested hit. */
export const CANDIDATES_A_HIT = 4
const LEAST_CANDIDATES = 40

/** The number of candidates of each ranking. */
export function candidatesFor(topK: number, most: number): number {
  return Math.min(Math.max(topK * CANDIDATES_A_HIT, LEAST_CANDIDATES), most)
}

/**
 * The best ids with their scores, best first; in each ranking, lower values come first.
 * @param weights of the rankings, each 1 when left out
 */
export function fuseRanks(
  rankings: Map<number, number>[],
  topK: number,
  weights: readonly number[] = [],
): [id: number, score: number][] {
  const scores = new Map<number, number>()
  for (const [index, ranking] of rankings.entries()) {
    const weight = weights[index] ?? 1
    const ascending = [...ranking].toSorted(([a, x], [b, y]) => x - y || a - b)
    for (const [place, [id]] of ascending.entries()) scores.set(id, (scores.get(id) ?? 0) + weight / (K + place + 1))
  }
  return [...scores].toSorted(([a, x], [b, y]) => y - x || a - b).slice(0, topK)
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
