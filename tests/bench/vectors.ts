// How long a search takes on Postgres: `tests/bench/vectors.ts [chunks] [agents]`. Prints, asserts nothing.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStorage } from '../../db/storage.ts'
import { createEmbedder } from '../../providers/embedder.ts'
import { freshDatabase, stopSharedPostgres } from '../support/postgres.ts'
import { percentile } from './measure.ts'

const [chunks = 10_000, agents = 1] = process.argv.slice(2).map(Number)
const SEARCHES = 200
const A_DOCUMENT = 500

const embedder = createEmbedder({ openai: {} })
const collection = embedder.model
const { signal } = new AbortController()

/** Numbers below a limit, the same in every run; small ones are more frequent, as are words. */
let state = 1
function below(limit: number): number {
  state = (state * 48_271) % 2_147_483_647
  return Math.floor((state / 2_147_483_647) ** 3 * limit)
}
const sentence = (words: number) => Array.from({ length: words }, () => `word${below(20_000)}`).join(' ')

const data_dir = mkdtempSync(join(tmpdir(), 'muxi-bench-'))
const storage = await openStorage({ data_dir, database_url: await freshDatabase() })
const { vectors } = storage
await vectors.ensureCollection({ id: collection, model: collection, dimension: embedder.dimension })
const begun = performance.now()
for (let first = 0; first < chunks; first += A_DOCUMENT) {
  const texts = Array.from({ length: Math.min(A_DOCUMENT, chunks - first) }, () => sentence(120))
  const embedded = await embedder.embed(texts, signal)
  const document = { collection, agent_id: `agent${(first / A_DOCUMENT) % agents}`, scope: '', generation: 1 }
  await vectors.addChunks(
    { ...document, document_id: `doc_${first}`, knowledge_id: `k${(first / A_DOCUMENT) % 10}` },
    texts.map((text, position) => ({ text, page: 1, position, vector: embedded[position]! })),
  )
  await vectors.publish(`doc_${first}`, 1)
}
console.log(`${chunks} chunks of ${agents} agents added in ${Math.round(performance.now() - begun)} ms`)

async function measure(name: string, more: { knowledge_id?: string; scopes?: string[] } = {}): Promise<void> {
  const took: number[] = []
  let hits = 0
  for (let n = 0; n < SEARCHES; n += 1) {
    const text = sentence(8)
    const [vector] = await embedder.embed([text], signal)
    const start = performance.now()
    hits += (
      await vectors.search({ collection, agent_id: 'agent0', scopes: [''], text, vector: vector!, top_k: 8, ...more })
    ).length
    took.push(performance.now() - start)
  }
  const [p50, p95] = [percentile(took, 50), percentile(took, 95)].map((ms) => ms.toFixed(1))
  console.log(`${name}: p50 ${p50} ms, p95 ${p95} ms, ${hits / SEARCHES} hits a search`)
}

await measure('warming up')
await measure('search')
await measure('search in a source of knowledge', { knowledge_id: 'k3' })
await measure('search in the agent and a conversation', { scopes: ['', 'conv_1'] })
await storage.close()
await stopSharedPostgres()
rmSync(data_dir, { recursive: true, force: true })
