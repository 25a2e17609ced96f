// Embeddings of texts, by the configured embedder.
import type { Static } from '@sinclair/typebox'
import { wrongField } from '../../contracts/failures.ts'
import { estimateTokens } from '../../contracts/tokens.ts'
import type { EmbeddingsSchema } from '../../contracts/schemas/openai-replies.ts'
import type { EmbeddingRequest } from '../../contracts/schemas/openai-requests.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { meteredEmbedder } from '../../vectors/metered-embedder.ts'
import { actingUser } from '../services/access.ts'
import type { ApiContext } from '../services/context.ts'
import { toUpstreamError } from '../services/upstream.ts'
import { actingAs } from './read-request.ts'

/** Texts that are embedded at once. */
const BATCH = 100
/** Models that are trained so that the beginning of a vector is a vector too. */
const SHORTENED =
  /text-embedding-3|gemini-embedding|embeddinggemma|qwen3-embedding|nomic-embed-text-v1\.5|mxbai-embed-large/i

/** @throws MuxiError, `budget_exceeded` when a budget leaves no room */
export async function embed(
  context: ApiContext,
  principal: Principal,
  body: EmbeddingRequest,
  requestId: string,
  signal: AbortSignal,
): Promise<Static<typeof EmbeddingsSchema>> {
  const { configured: embedder } = context.index.embedders
  const { dimensions, encoding_format } = body
  const length = dimensions ?? embedder.dimension
  const isShorter = length < embedder.dimension && SHORTENED.test(embedder.model)
  if (length !== embedder.dimension && !isShorter)
    throw wrongField('read the request', 'dimensions', `${embedder.dimension}, which '${embedder.model}' has`)
  const texts = typeof body.input === 'string' ? [body.input] : body.input
  const tokens = texts.reduce((sum, text) => sum + estimateTokens(text), 0)
  const user_id = actingUser(principal, actingAs(body.user))
  const owner = { key_id: principal.key_id, user_id, agent_id: null }
  const metered = meteredEmbedder(context.storage.db, embedder, requestId, owner)
  const vectors: Float32Array[] = []
  try {
    const either = AbortSignal.any([signal, context.closing])
    for (let from = 0; from < texts.length; from += BATCH)
      vectors.push(...(await metered.embed(texts.slice(from, from + BATCH), either)))
  } catch (error) {
    context.log.warn({ err: error, embedder: embedder.model }, 'texts could not be embedded')
    throw toUpstreamError('The texts could not be embedded', error)
  }
  return {
    object: 'list',
    data: vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: encode(isShorter ? shortened(vector, length) : vector, encoding_format === 'base64'),
    })),
    model: embedder.model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  }
}

function encode(vector: Float32Array, isBase64: boolean): number[] | string {
  if (!isBase64) return [...vector]
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4)
  return bytes.toString('base64')
}

/** The beginning, of length 1 again. */
function shortened(vector: Float32Array, dimensions: number): Float32Array {
  const part = vector.slice(0, dimensions)
  const norm = Math.hypot(...part)
  return norm === 0 ? part : part.map((value) => value / norm)
}
