// An embeddings server that can hold its answers back, and that counts requests. Its vectors are those of the local embedder; those
// of a model named `folded-<n>` have n dimensions.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hashingEmbedder } from '../../providers/hashing-embedder.ts'

export interface EmbeddingServer {
  /** `OPENAI_BASE_URL` and `MUXI_EMBEDDING_MODEL` of processes that use it. */
  env: Record<string, string>
  /** Texts of every request. */
  asked: string[][]
  /** Texts that models were asked for and have answered. */
  answered: { model: string; texts: string[] }[]
  /** Requests wait from now on. @param model only those to this one @param after so many more of these */
  hold(model?: string, after?: number): void
  /** Answers every request with this status; undefined: as usual. */
  fail(status: number | undefined): void
  /** Lets those that wait, and all to come, be answered. */
  release(): void
  close(): Promise<void>
}

/** A vector with fewer dimensions. */
export function folded(vector: Float32Array, dimension: number): Float32Array {
  const sums = new Float32Array(dimension)
  for (const [index, value] of vector.entries()) sums[index % dimension]! += value
  return sums
}

export async function startEmbeddingServer(): Promise<EmbeddingServer> {
  const embedder = hashingEmbedder()
  const asked: string[][] = []
  const answered: EmbeddingServer['answered'] = []
  let held: string | undefined
  let passing = 0
  let failing: number | undefined
  let gate = Promise.withResolvers<void>()
  gate.resolve()
  const server = createServer((request, response) => {
    const answer = async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const { input, model } = JSON.parse(Buffer.concat(chunks).toString()) as {
        input: string | string[]
        model: string
      }
      const texts = [input].flat()
      asked.push(texts)
      if ((held === undefined || held === model) && (passing -= 1) < 0) await gate.promise
      // The process that asked was killed, or has given up.
      if (response.destroyed || request.socket.destroyed) return undefined
      if (failing !== undefined) return response.writeHead(failing).end('{}')
      const dimension = Number(/^folded-(\d+)$/.exec(model)?.[1] ?? embedder.dimension)
      const vectors = await embedder.embed(texts, new AbortController().signal)
      const data = vectors.map((vector, index) => {
        return { object: 'embedding', index, embedding: [...folded(vector, dimension)] }
      })
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ object: 'list', data, model, usage: { prompt_tokens: 1, total_tokens: 1 } }))
      answered.push({ model, texts })
      return undefined
    }
    // A process that was killed closes its connection.
    answer().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    env: {
      OPENAI_BASE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
      MUXI_EMBEDDING_MODEL: `openai:small@${embedder.dimension}`,
    },
    asked,
    answered,
    hold(model, after = 0) {
      held = model
      passing = after
      gate = Promise.withResolvers()
    },
    fail(status) {
      failing = status
    },
    release() {
      gate.resolve()
    },
    async close() {
      gate.resolve()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
