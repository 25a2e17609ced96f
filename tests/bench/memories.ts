// Memory: what recalling everything at once takes (`npm run bench memories`), and how much of the evidence of a public set of long
// conversations is found, by vectors, by words and by both.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { recall } from '../../activities/turn/recall.ts'
import { MessageVectors } from '../../activities/turn/recent-messages.ts'
import { newId } from '../../contracts/ids.ts'
import { memoryIdOf, memoryScope } from '../../contracts/memory.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { insertJob } from '../../db/queries/jobs.ts'
import { insertMemories } from '../../db/queries/memories.ts'
import { mergeContextMemory } from '../../db/queries/context-memory.ts'
import { readStepInput } from '../../db/queries/turn-input.ts'
import { insertMessage } from '../../db/queries/turns.ts'
import { openStorage, type Storage } from '../../db/storage.ts'
import { searchMemories } from '../../vectors/find-memories.ts'
import { openVectors } from '../../vectors/open-vectors.ts'
import type { VectorStore } from '../../vectors/store.ts'
import { freshDatabase, stopSharedPostgres } from '../support/postgres.ts'
import { seeded } from '../support/seeded.ts'
import { insert } from '../support/turn-rows.ts'
import { embedder } from './bench-embedder.ts'
import { sentence } from './corpus.ts'
import { ms, percentile, report } from './measure.ts'
import { indexOf } from '../support/search-index.ts'

const MEMORIES = 10_000
const CHUNKS = 10_000
const OLDER = 200
const BATCH = 100
const QUESTIONS = 100
const MEMORY = { buffer: 20, buffer_multiplier: 10, long_term: true }
const { model } = embedder
const { signal } = new AbortController()

type Place = Parameters<typeof openStorage>[0]
type Stores = Storage & { vectors: VectorStore }

/** On both databases. */
async function onBoth(measure: (name: string, stores: Stores) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'muxi-bench-'))
  try {
    await on('SQLite', { data_dir: join(folder, 'sqlite') }, measure)
    await on(
      'Postgres',
      { data_dir: join(folder, 'postgres'), database_url: await freshDatabase({ sharedBuffers: '128MB' }) },
      measure,
    )
  } finally {
    await stopSharedPostgres()
    rmSync(folder, { recursive: true, force: true })
  }
}

export function memories(): Promise<void> {
  return onBoth(recalls)
}

export async function locomo(): Promise<void> {
  const file = process.env['MUXI_BENCH_LOCOMO']
  if (file === undefined || !existsSync(file))
    return report(
      'LoCoMo',
      'not measured: MUXI_BENCH_LOCOMO must be the path of locomo10.json (github.com/snap-research/LoCoMo)',
    )
  const samples = JSON.parse(readFileSync(file, 'utf8')) as Sample[]
  await onBoth((name, stores) => evidence(name, stores, samples))
}

async function on(name: string, place: Place, measure: (name: string, stores: Stores) => Promise<void>): Promise<void> {
  const storage = await openStorage(place)
  const { vectors, close } = openVectors(storage.db, place)
  try {
    await measure(name, { ...storage, vectors })
  } finally {
    await close()
    await storage.close()
  }
}

/** Everything that a turn may recall, with one embedding of the question. */
async function recalls(name: string, stores: Stores): Promise<void> {
  const { db, vectors } = stores
  const of = { agent_id: 'agent', user_id: 'user' }
  const { id: elsewhere } = await createConversation(db, of)
  await remember(
    stores,
    of.user_id,
    elsewhere,
    Array.from({ length: MEMORIES }, () => sentence(20)),
  )
  const file = { id: 'file_1', user_id: 'user', name: 'manual.txt', sha256: '' }
  const job = await db
    .transaction()
    .execute((tx) => insertJob(tx, { file, key_id: null, agent_id: 'agent', knowledge_id: 'manual' }))
  await db.updateTable('jobs').set({ status: 'completed' }).where('id', '=', job.id).execute()
  for (let from = 0; from < CHUNKS; from += BATCH) {
    const texts = Array.from({ length: BATCH }, () => sentence(120))
    const embedded = await embedder.embed(texts, signal)
    const document = { model, agent_id: 'agent', scope: '', document_id: job.document_id, generation: 1 }
    await vectors.addChunks(
      document,
      texts.map((text, index) => ({ text, page: 1, position: from + index, vector: embedded[index]! })),
    )
  }
  await vectors.publish(job.document_id, 1)
  await db.transaction().execute((tx) => mergeContextMemory(tx, 'user', { name: 'Anna', likes: sentence(20) }, {}))
  const { id: conversation_id } = await createConversation(db, of)
  for (let n = 0; n < OLDER; n += 1) await say(stores, conversation_id, sentence(30))

  const resources = { ...stores, index: indexOf(stores, embedder), messageVectors: new MessageVectors(db) }
  const took: number[] = []
  const busy: number[] = []
  for (let n = 0; n < QUESTIONS + 10; n += 1) {
    const turnId = await insert(stores, conversation_id, { content: sentence(8) })
    const given = await readStepInput(db, turnId, 1, MEMORY.buffer)
    const before = process.cpuUsage()
    const { duration_ms, memories: found, passages, about_user, error } = await recall(resources, given, MEMORY, signal)
    if (found.length === 0 || passages.length === 0 || !about_user)
      throw new Error(`Cannot measure: ${error ?? 'nothing was recalled'}`)
    const { user, system } = process.cpuUsage(before)
    await db.deleteFrom('messages').where('turn_id', '=', turnId).execute()
    await db.deleteFrom('turns').where('id', '=', turnId).execute()
    if (n < 10) continue
    took.push(duration_ms)
    busy.push((user + system) / 1_000)
  }
  report(
    `${name}: recall of ${OLDER} older messages, ${MEMORIES} memories, ${CHUNKS} chunks and context memory`,
    `${ms(percentile(took, 50))} p50, ${ms(percentile(took, 95))} p95, fastest ${ms(percentile(took, 0))}; processor time of this process ${ms(percentile(busy, 50))}  (≤ 20 ms)`,
  )
}

async function say({ db }: Stores, conversation_id: string, content: string): Promise<void> {
  const [id, turn_id] = [newId('msg'), newId('turn')]
  const row = { id, conversation_id, turn_id, role: 'user' as const, content, status: 'completed' as const }
  await insertMessage(db, { ...row, attachments: null, external_id: null, created_at: new Date().toISOString() })
}

/** Memories as the workflow writes them. @returns their messages, in order */
async function remember(
  { db, vectors }: Stores,
  user_id: string,
  conversation_id: string,
  texts: string[],
): Promise<string[]> {
  await vectors.serving(embedder)
  const messages: string[] = []
  const said_at = new Date().toISOString()
  for (let from = 0; from < texts.length; from += BATCH) {
    const some = texts.slice(from, from + BATCH)
    const embedded = await embedder.embed(some, signal)
    const ids = some.map(() => newId('msg'))
    messages.push(...ids)
    const rows = ids.map((message_id) => {
      const id = memoryIdOf(message_id)
      return { id, agent_id: 'agent', user_id, conversation_id, message_id, role: 'user' as const, said_at }
    })
    await db.transaction().execute((tx) => insertMemories(tx, rows))
    await Promise.all(
      rows.map(async ({ id: document_id }, index) => {
        const document = { model, agent_id: 'agent', scope: memoryScope(user_id), document_id, generation: 1 }
        await vectors.addChunks(document, [{ text: some[index]!, page: 1, position: 0, vector: embedded[index]! }])
        await vectors.publish(document_id, 1)
      }),
    )
  }
  return messages
}

interface Sample {
  sample_id: string
  conversation: Record<string, unknown>
  qa: { question: string; evidence?: string[] }[]
}

interface DialogTurn {
  speaker: string
  dia_id: string
  text: string
  blip_caption?: string
}

const TOPS = [5, 10]
const RESAMPLES = 1_000

/** LoCoMo: every conversation is a user's, every turn a memory; the evidence of a question is the turns that answer it. */
async function evidence(name: string, stores: Stores, samples: Sample[]): Promise<void> {
  const found: Record<string, number[]> = {}
  for (const { sample_id, conversation, qa } of samples) {
    const turns = Object.values(conversation).flatMap((session) =>
      Array.isArray(session) ? (session as DialogTurn[]) : [],
    )
    const texts = turns.map(({ speaker, text, blip_caption }) =>
      [`${speaker}: ${text}`, blip_caption && `(a picture: ${blip_caption})`].filter(Boolean).join(' '),
    )
    const messages = await remember(stores, sample_id, 'conv_1', texts)
    const turnOf = new Map(messages.map((id, index) => [id, turns[index]!.dia_id]))
    for (const { question, evidence: wanted = [] } of qa) {
      const ids = wanted.flatMap((text) => text.match(/D\d+:\d+/g) ?? [])
      if (ids.length === 0) continue
      const [vector] = await embedder.embed([question], signal, 'query')
      const ways = {
        vectors: { text: '', vector: vector! },
        words: { text: question, vector: new Float32Array(embedder.dimension) },
        both: { text: question, vector: vector! },
      }
      for (const [way, asked] of Object.entries(ways)) {
        const owner = { agent_id: 'agent', user_id: sample_id }
        const hits = await searchMemories(
          { ...stores, index: indexOf(stores, embedder) },
          { ...owner, ...asked, model, vector_weight: embedder.message_weight, limit: Math.max(...TOPS) },
        )
        const shown = hits.map(({ message_id }) => turnOf.get(message_id))
        for (const top of TOPS) {
          const among = new Set(shown.slice(0, top))
          const part = ids.filter((id) => among.has(id)).length / ids.length
          ;(found[`by ${way}, recall@${top}`] ??= []).push(part)
        }
      }
    }
  }
  for (const [way, parts] of Object.entries(found)) {
    const [low, high] = interval(parts)
    report(
      `${name}: LoCoMo evidence ${way}`,
      `${percent(mean(parts))} (95 %: ${percent(low)} to ${percent(high)}; ${parts.length} questions)`,
    )
  }
}

const mean = (parts: readonly number[]) => parts.reduce((sum, part) => sum + part, 0) / parts.length
const percent = (part: number) => `${(part * 100).toFixed(1)} %`

/** By the bootstrap: the questions are drawn again with replacement. */
function interval(parts: readonly number[]): [low: number, high: number] {
  const random = seeded(1)
  const means = Array.from({ length: RESAMPLES }, () =>
    mean(parts.map(() => parts[Math.floor(random() * parts.length)]!)),
  )
  return [percentile(means, 2.5), percentile(means, 97.5)]
}
