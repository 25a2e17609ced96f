// What recalling adds to a turn with 10,000 chunks to search, on both databases; and how long it takes to add them.
import { insertJob } from '../../db/queries/jobs.ts'
import { openStorage } from '../../db/storage.ts'
import type { Db } from '../../db/schema.ts'
import { createEmbedder } from '../../providers/create-embedder.ts'
import { openVectors } from '../../vectors/open-vectors.ts'
import type { VectorStore } from '../../vectors/store.ts'
import { freshDatabase, stopSharedPostgres } from '../support/postgres.ts'
import { sentence } from './corpus.ts'
import { chat, ms, percentile, report } from './measure.ts'
import type { Bench } from './processes.ts'

const CHUNKS = 10_000
const SOURCES = 10
const CHUNK_WORDS = 120
/** As many as an ingestion adds at once. */
const AT_ONCE = 64
const SEARCHES = 100
const TURNS = 60
const ASK = { words: 1, gap_ms: 0 }

const embedder = createEmbedder({ openai: {} }, 'local')
const { model } = embedder
const { signal } = new AbortController()

const QUESTIONS = {
  'of any words': () => sentence(8),
  'of common words': () => sentence(12, 40),
}

export async function recalling(bench: Bench): Promise<void> {
  await recallingOn(bench, 'SQLite', undefined)
  try {
    await recallingOn(bench, 'Postgres', await freshDatabase())
  } finally {
    await stopSharedPostgres()
  }
}

async function recallingOn(bench: Bench, name: string, database_url: string | undefined): Promise<void> {
  const installed = await bench.install(`recall-${name.toLowerCase()}`, { database_url })
  const options = { data_dir: installed.data_dir, database_url }
  const storage = await openStorage(options)
  const { vectors, close } = openVectors(storage.db, options)
  await fill(storage.db, vectors, name)
  for (const [kind, question] of Object.entries(QUESTIONS)) await searches(vectors, `${name}: search ${kind}`, question)
  await searches(vectors, `${name}: search in one source`, QUESTIONS['of any words'], { knowledge_id: 'source3' })
  await close()
  await storage.close()

  const muxi = await installed.start('all')
  try {
    for (const [kind, question] of Object.entries(QUESTIONS)) {
      const without: number[] = []
      const recalled: number[] = []
      for (let turn = 0; turn < TURNS + 10; turn += 1) {
        const ask = { ...ASK, question: question() }
        const { first: bare } = await chat(muxi, `user-${turn}`, ask)
        const { first } = await chat(muxi, `user-${turn}`, ask, { agent: 'reader' })
        if (turn < 10) continue
        without.push(bare)
        recalled.push(first)
      }
      const added = percentile(recalled, 50) - percentile(without, 50)
      report(
        `${name}: recall for a question ${kind}`,
        `${ms(added)} added to ${ms(percentile(without, 50))} p50  (≤ 15 ms)`,
      )
    }
  } finally {
    await muxi.stop()
  }
}

/** Sources of knowledge with 10,000 chunks in all, as if ingested. */
async function fill(db: Db, vectors: VectorStore, name: string): Promise<void> {
  await vectors.serving(embedder)
  let took = 0
  for (let source = 0; source < SOURCES; source += 1) {
    const knowledge_id = `source${source}`
    const file = { id: `file_${source}`, user_id: 'default', name: `${knowledge_id}.txt`, sha256: '' }
    const job = await db
      .transaction()
      .execute((tx) => insertJob(tx, { file, key_id: null, agent_id: 'reader', knowledge_id }))
    await db.updateTable('jobs').set({ status: 'completed' }).where('id', '=', job.id).execute()
    const { document_id } = job
    const document = { model, agent_id: 'reader', scope: '', document_id, generation: 1, knowledge_id }
    for (let from = 0; from < CHUNKS / SOURCES; from += AT_ONCE) {
      const texts = Array.from({ length: Math.min(AT_ONCE, CHUNKS / SOURCES - from) }, () => sentence(CHUNK_WORDS))
      const embedded = await embedder.embed(texts, signal)
      const startedAt = performance.now()
      await vectors.addChunks(
        document,
        texts.map((text, index) => ({ text, page: 1, position: from + index, vector: embedded[index]! })),
      )
      took += performance.now() - startedAt
    }
    await vectors.publish(document_id, 1)
  }
  report(`${name}: adding ${CHUNKS} chunks`, `${(took / 1_000).toFixed(1)} s`)
}

async function searches(
  vectors: VectorStore,
  what: string,
  question: () => string,
  narrowed: { knowledge_id?: string } = {},
): Promise<void> {
  const took: number[] = []
  for (let n = 0; n < SEARCHES + 10; n += 1) {
    const text = question()
    const [vector] = await embedder.embed([text], signal)
    const startedAt = performance.now()
    const query = { model, agent_id: 'reader', scopes: ['', 'conv_1'], text, vector: vector!, top_k: 5 }
    await vectors.search({ ...query, ...narrowed })
    if (n >= 10) took.push(performance.now() - startedAt)
  }
  report(what, `${ms(percentile(took, 50))} p50, ${ms(percentile(took, 95))} p95`)
}
