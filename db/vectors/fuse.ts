// Two rankings made one, by reciprocal rank: no scores need to be compared.

/** Weakens the lead of the first places (Cormack and others, 2009). */
const K = 60

/** The score of each id that is in one of the rankings. */
export function fuseRanks(rankings: number[][]): Map<number, number> {
  const scores = new Map<number, number>()
  for (const ranking of rankings) {
    for (const [place, id] of ranking.entries()) scores.set(id, (scores.get(id) ?? 0) + 1 / (K + place + 1))
  }
  return scores
}
