// An embeddings server that can hold its answers back, and that counts requests. Its vectors are those of the local embedder.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hashingEmbedder } from '../../providers/hashing-embedder.ts'

export interface EmbeddingServer {
  /** `OPENAI_BASE_URL` and `MUXI_EMBEDDING_MODEL` of processes that use it. */
  env: Record<string, string>
  /** Texts of every request. */
  asked: string[][]
  /** Requests wait from now on. */
  hold(): void
  /** Lets those that wait, and all to come, be answered. */
  release(): void
  close(): Promise<void>
}

export async function startEmbeddingServer(): Promise<EmbeddingServer> {
  const embedder = hashingEmbedder()
  const asked: string[][] = []
  let gate = Promise.withResolvers<void>()
  gate.resolve()
  const server = createServer((request, response) => {
    const answer = async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const { input } = JSON.parse(Buffer.concat(chunks).toString()) as { input: string | string[] }
      const texts = [input].flat()
      asked.push(texts)
      await gate.promise
      const vectors = await embedder.embed(texts, new AbortController().signal)
      const data = vectors.map((vector, index) => ({ object: 'embedding', index, embedding: [...vector] }))
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify({ object: 'list', data, model: 'small', usage: { prompt_tokens: 1, total_tokens: 1 } }),
      )
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
    hold() {
      gate = Promise.withResolvers()
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
