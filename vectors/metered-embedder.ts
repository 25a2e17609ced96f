// An embedder whose requests are booked to the key and the user that they are made for.
import type { UsageOwner } from '../contracts/budget.ts'
import { estimateTokens } from '../contracts/tokens.ts'
import { sendMetered } from '../db/metered-request.ts'
import type { Db } from '../db/schema.ts'
import type { IndexEmbedder } from './search-index.ts'

/**
 * The same embedder with usage rows; one that costs nothing is returned as it is.
 * @param streamId the turn or job, or the request that belongs to none
 */
export function meteredEmbedder(db: Db, embedder: IndexEmbedder, streamId: string, owner: UsageOwner): IndexEmbedder {
  const { billed, model, dimension, isCostly, separatesQueries, message_weight } = embedder
  if (!billed) return embedder
  return {
    model,
    dimension,
    isCostly,
    billed,
    ...(separatesQueries !== undefined && { separatesQueries }),
    ...(message_weight !== undefined && { message_weight }),
    embed(texts, signal, use) {
      const input_tokens = texts.reduce((sum, text) => sum + estimateTokens(text), 0)
      const request = { kind: 'embedding', stream_id: streamId, owner, billed, estimate: { input_tokens } } as const
      return sendMetered(db, request, (count) => embedder.embed(texts, signal, use, count))
    },
  }
}
