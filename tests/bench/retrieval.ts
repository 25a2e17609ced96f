// How often the page with the answer is among the first five passages: by vectors alone, by words alone, and by both.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { openStorage } from '../../db/storage.ts'
import { openVectors } from '../../vectors/open-vectors.ts'
import type { VectorStore } from '../../vectors/store.ts'
import { chunkPages } from '../../media/document/chunk.ts'
import { inspectDocument, parsePages } from '../../media/document/parse-document.ts'
import { freshDatabase, stopSharedPostgres } from '../support/postgres.ts'
import { embedder } from './bench-embedder.ts'
import { report } from './measure.ts'
import { MANUALS, QUESTIONS, type Manual } from './questions.ts'

const TOP = 5
const BATCH_PAGES = 50
const { signal } = new AbortController()
const limits = { memory_mb: 1_024, time_ms: 120_000, output_bytes: 2 ** 26, max_pages: 5_000 }
const { model } = embedder

export async function retrieval(): Promise<void> {
  const missing = Object.values(MANUALS).filter(({ path }) => !existsSync(path))
  if (missing.length > 0) {
    const names = missing.map((manual) => manual.package).join(' ')
    return report('retrieval', `not measured: it needs manuals of Debian (apt-get install ${names})`)
  }
  const folder = mkdtempSync(join(tmpdir(), 'muxi-bench-'))
  try {
    await retrievalOn('SQLite', { data_dir: join(folder, 'sqlite') })
    await retrievalOn('Postgres', { data_dir: join(folder, 'postgres'), database_url: await freshDatabase() })
  } finally {
    await stopSharedPostgres()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function retrievalOn(name: string, options: Parameters<typeof openStorage>[0]): Promise<void> {
  const storage = await openStorage(options)
  const { vectors: store, close } = openVectors(storage.db, options)
  try {
    let chunks = 0
    for (const manual of Object.keys(MANUALS) as Manual[]) chunks += await index(store, manual, options.data_dir)
    const found = { vectors: 0, words: 0, both: 0 }
    for (const [manual, question, pages] of QUESTIONS) {
      const [vector] = await embedder.embed([question], signal, 'query')
      const ways = {
        // What has no direction is near nothing, and what has no words matches none.
        vectors: { text: '', vector: vector! },
        words: { text: question, vector: new Float32Array(embedder.dimension) },
        both: { text: question, vector: vector! },
      }
      for (const [way, asked] of Object.entries(ways) as [keyof typeof ways, (typeof ways)['both']][]) {
        const hits = await store.search({
          ...asked,
          model,
          agent_id: 'reader',
          scopes: [''],
          top_k: TOP,
        })
        const isFound = hits.some(({ document_id, page }) => document_id === manual && pages.includes(page))
        if (isFound) found[way] += 1
        else if (process.env['MUXI_BENCH_MISSES']) console.log(`${name} ${way}: ${manual}, ${question}`)
      }
    }
    for (const [way, times] of Object.entries(found))
      report(
        `${name}: page among the first ${TOP} by ${way}`,
        `${times} of ${QUESTIONS.length} questions (${chunks} chunks)`,
        times / QUESTIONS.length,
      )
  } finally {
    await close()
    await storage.close()
  }
}

async function index(vectors: VectorStore, manual: Manual, folder: string): Promise<number> {
  const { path } = MANUALS[manual]
  const bytes = await readFile(path)
  const file = join(folder, `${manual}.pdf`)
  writeFileSync(file, path.endsWith('.gz') ? gunzipSync(bytes) : bytes)
  const { pages } = await inspectDocument(file, { signal, limits })
  await vectors.serving(embedder)
  const document = { model, agent_id: 'reader', scope: '', document_id: manual, generation: 1 }
  let added = 0
  for (let from = 1; from <= pages; from += BATCH_PAGES) {
    const to = Math.min(pages, from + BATCH_PAGES - 1)
    const chunks = chunkPages(await parsePages(file, { from, to }, { signal, limits }))
    const embedded = await embedder.embed(
      chunks.map(({ text }) => text),
      signal,
    )
    await vectors.addChunks(
      document,
      chunks.map((chunk, at) => ({ ...chunk, position: from * 1_000 + chunk.position, vector: embedded[at]! })),
    )
    added += chunks.length
  }
  await vectors.publish(manual, 1)
  return added
}
