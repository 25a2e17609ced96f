// Search among 100,000 vectors of real texts, in one partition and spread over a thousand users: time, and recall against an exact
// comparison (`npm run bench -- vectors`).
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { memoryScope } from '../../contracts/memory.ts'
import { openPostgresForSearches, openPostgresPatiently } from '../../db/postgres.ts'
import { openStorage } from '../../db/storage.ts'
import { createEmbedder } from '../../providers/create-embedder.ts'
import { dot } from '../../providers/embedder-vectors.ts'
import { toUnit, vectorTable } from '../../vectors/documents.ts'
import { openVectors } from '../../vectors/open-vectors.ts'
import { SEARCH_SETTINGS } from '../../vectors/postgres/search.ts'
import { postgresVectors } from '../../vectors/postgres/vectors.ts'
import { SqlVectorStore } from '../../vectors/sql-vector-store.ts'
import type { VectorStore } from '../../vectors/store.ts'
import { freshDatabase, stopSharedPostgres } from '../support/postgres.ts'
import { seeded } from '../support/seeded.ts'
import { ms, percentile, report } from './measure.ts'

/** Definitions of words and their examples; the package is `wordnet-base`. */
const WORDNET = '/usr/share/wordnet'
const VECTORS = Number(process.env['MUXI_BENCH_COUNT'] ?? 100_000)
const USERS = 1_000
const QUESTIONS = 100
const TOP = 10
const BATCH = 500
const EF_SEARCH = ['40', '100', '200', '400']
const { signal } = new AbortController()

/** One name for every embedder: the index is new. */
const MODEL = 'bench'

interface Texts {
  model: string
  stored: Float32Array[]
  questions: Float32Array[]
}

export async function vectors(): Promise<void> {
  const texts = await readTexts()
  if (!texts) return report('vectors', 'not measured: it needs the texts of WordNet (apt-get install wordnet-base)')
  const folder = mkdtempSync(join(tmpdir(), 'muxi-bench-'))
  const exact = texts.questions.map((question) => nearest(question, texts.stored))
  try {
    await on('SQLite', { data_dir: join(folder, 'sqlite') }, texts, exact)
    const database_url = await freshDatabase({ sharedBuffers: '128MB' })
    await on('Postgres', { data_dir: join(folder, 'postgres'), database_url }, texts, exact)
  } finally {
    await stopSharedPostgres()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Unit vectors: of the local embedder, or read from files that hold those of another model (`<path>-base.f32`, `<path>-queries.f32`). */
async function readTexts(): Promise<Texts | undefined> {
  const path = process.env['MUXI_BENCH_VECTORS']
  if (path !== undefined) {
    const dimension = Number(process.env['MUXI_BENCH_DIMENSION'] ?? 384)
    const [stored, questions] = ['base', 'queries'].map((name) => {
      const all = new Float32Array(readFileSync(`${path}-${name}.f32`).buffer)
      return Array.from({ length: all.length / dimension }, (_, at) =>
        all.slice(at * dimension, (at + 1) * dimension),
      ).flatMap((vector) => toUnit(vector) ?? [])
    })
    const every = Math.floor(questions!.length / QUESTIONS)
    return {
      model: path,
      stored: stored!.slice(0, VECTORS),
      questions: questions!.filter((_, at) => at % every === 0).slice(0, QUESTIONS),
    }
  }
  if (!existsSync(WORDNET)) return undefined
  const embedder = createEmbedder({ openai: {} }, 'local')
  const glosses = ['noun', 'verb', 'adj', 'adv'].flatMap((kind) =>
    readFileSync(join(WORDNET, `data.${kind}`), 'utf8')
      .split('\n')
      .flatMap((line) => (line.startsWith('  ') ? [] : (line.split(' | ')[1]?.trim() ?? []))),
  )
  const random = seeded(1)
  const texts = [...new Set(glosses)]
    .map((text) => ({ text, place: random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ text }) => text)
    .slice(0, VECTORS + QUESTIONS)
  const all = (await embedder.embed(texts, signal)).flatMap((vector) => toUnit(vector) ?? [])
  return { model: embedder.model, stored: all.slice(0, -QUESTIONS), questions: all.slice(-QUESTIONS) }
}

/** The exact answer: how like the tenth nearest is, at least. */
function nearest(question: Float32Array, stored: readonly Float32Array[]): number {
  const likeness = Float32Array.from(stored, (vector) => dot(question, vector)).sort()
  return likeness.at(-TOP)!
}

async function on(
  name: string,
  place: Parameters<typeof openStorage>[0],
  { stored, questions }: Texts,
  exact: readonly number[],
): Promise<void> {
  const storage = await openStorage(place)
  const { vectors: store, close } = openVectors(storage.db, place)
  const dimension = stored[0]!.length
  const table = vectorTable(dimension)
  const index = sql.table(`${table}_by_nearness`)
  try {
    await store.serving({ model: MODEL, dimension })
    // Made at the end, which takes a tenth of the time.
    if (place.database_url !== undefined) await sql`drop index ${index}`.execute(storage.db)
    const per = Math.ceil(stored.length / USERS)
    const startedAt = performance.now()
    for (let user = 0; user < USERS; user += 1) {
      const own = stored.slice(user * per, (user + 1) * per)
      await add(store, 'many', memoryScope(`user-${user}`), `doc-${user}`, own)
      await add(store, 'one', memoryScope('user'), `all-${user}`, own)
    }
    report(
      `${name}: adding ${stored.length} vectors twice`,
      `${((performance.now() - startedAt) / 1_000).toFixed(0)} s`,
    )
    if (place.database_url !== undefined) await makeIndex(place.database_url, table)
    const random = seeded(2)
    const one = () => 'user'
    await measure(`${name}: ${stored.length} vectors of one user`, store, 'one', one, questions, exact)
    const anyone = () => `user-${Math.floor(random() * USERS)}`
    await measure(`${name}: ${stored.length} vectors of ${USERS} users`, store, 'many', anyone, questions)
    if (place.database_url === undefined) return
    for (const ef of EF_SEARCH) {
      const searches = openPostgresForSearches(place.database_url, { ...SEARCH_SETTINGS, 'hnsw.ef_search': ef })
      const tuned = new SqlVectorStore(storage.db, postgresVectors({ searches, builds: storage.db }))
      await measure(`${name}: of one user, hnsw.ef_search = ${ef}`, tuned, 'one', one, questions, exact)
      await searches.destroy()
    }
  } finally {
    await close()
    await storage.close()
  }
}

async function makeIndex(url: string, table: string): Promise<void> {
  const db = openPostgresPatiently(url)
  await sql`set maintenance_work_mem = '1GB'`.execute(db)
  await sql`create index ${sql.ref(`${table}_by_nearness`)} on ${sql.table(table)}
    using hnsw (embedding halfvec_cosine_ops)`.execute(db)
  await sql`analyze`.execute(db)
  await db.destroy()
}

async function add(
  store: VectorStore,
  agent_id: string,
  scope: string,
  document_id: string,
  own: readonly Float32Array[],
): Promise<void> {
  const document = { model: MODEL, agent_id, scope, document_id, generation: 1 }
  for (let from = 0; from < own.length; from += BATCH) {
    const some = own.slice(from, from + BATCH)
    await store.addChunks(
      document,
      some.map((vector, at) => ({ text: '', page: 1, position: from + at, vector })),
    )
  }
  await store.publish(document_id, 1)
}

async function measure(
  what: string,
  store: VectorStore,
  agent_id: string,
  userOf: () => string,
  questions: readonly Float32Array[],
  exact?: readonly number[],
): Promise<void> {
  const took: number[] = []
  let found = 0
  let before = process.cpuUsage()
  // The first round fills caches.
  for (const round of [1, 2]) {
    before = process.cpuUsage()
    for (const [at, vector] of questions.entries()) {
      const startedAt = performance.now()
      const hits = await store.search({
        model: MODEL,
        agent_id,
        scopes: [memoryScope(userOf())],
        text: '',
        vector,
        top_k: TOP,
      })
      if (round === 1) continue
      took.push(performance.now() - startedAt)
      // Half precision rounds.
      if (exact) found += Math.min(TOP, hits.filter(({ similarity }) => similarity >= exact[at]! - 0.000_5).length)
    }
  }
  const { user, system } = process.cpuUsage(before)
  const busy = (user + system) / 1_000 / questions.length
  const recall = exact ? `, recall@${TOP} ${(found / questions.length / TOP).toFixed(3)} (≥ 0.95)` : ''
  report(
    what,
    `${ms(percentile(took, 50))} p50, ${ms(percentile(took, 95))} p95, fastest ${ms(percentile(took, 0))}  (≤ 15 ms), processor time of this process ${ms(busy)}${recall}`,
  )
}
