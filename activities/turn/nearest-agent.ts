// The agent whose description is nearest to a message in meaning.
import { embeddedTexts } from '../../contracts/memory.ts'
import { raceSignal } from '../../contracts/signals.ts'
import { dot } from '../../providers/embedder-vectors.ts'
import type { RoutableAgent } from '../../db/queries/routing.ts'

/** How much a difference in similarity counts: one of 0.1 makes a description e times as likely. */
const SHARPNESS = 10

/**
 * @param embed vectors of length 1, one for each text
 * @returns the agent and its share among all of them, from 0 to 1
 */
export async function nearestAgent(
  message: string,
  agents: readonly Pick<RoutableAgent, 'id' | 'description'>[],
  embed: (texts: string[]) => Promise<Float32Array[]>,
  signal: AbortSignal,
): Promise<{ id: string; confidence: number }> {
  const described = agents.map(({ id, description }) => `${id.replaceAll(/[-_]+/g, ' ')}. ${description}`)
  const [asked, ...vectors] = await raceSignal(embed([embeddedTexts(message).question, ...described]), signal)
  const similarities = vectors.map((vector) => dot(asked!, vector))
  const weights = similarities.map((similarity) => Math.exp(similarity * SHARPNESS))
  const best = similarities.indexOf(Math.max(...similarities))
  const share = weights[best]! / weights.reduce((sum, weight) => sum + weight, 0)
  return { id: agents[best]!.id, confidence: Number(share.toFixed(3)) }
}
