// Recall before a turn's first model call: passages of the agent's knowledge and of the conversation's documents that match the
// question, messages of earlier, and what is known about the user.
import { embeddedTexts, type RecalledMemory } from '../../contracts/memory.ts'
import { BUFFER_MULTIPLIER, type MemoryConfig } from '../../contracts/schemas/agent.ts'
import { raceSignal } from '../../contracts/signals.ts'
import { findContextMemory } from '../../db/queries/context-memory.ts'
import { listJobsOfTurn } from '../../db/queries/jobs.ts'
import { readText } from '../../db/queries/job-batches.ts'
import { storeRecall, type Passage, type Recall } from '../../db/queries/recalls.ts'
import type { Tx, Db } from '../../db/schema.ts'
import { addLogEntry, type LogStart } from '../../db/queries/log.ts'
import type { StepInput } from '../../db/queries/turn-input.ts'
import { briefOf } from '../../providers/failure.ts'
import { searchMemories } from '../../vectors/find-memories.ts'
import { searchPassages, type PassageResources } from '../../vectors/find-passages.ts'
import { meteredEmbedder } from '../../vectors/metered-embedder.ts'
import type { IndexEmbedder } from '../../vectors/search-index.ts'
import { nearestOf, readOlder, type MessageVectors } from './recent-messages.ts'

/** Time limit of the search, in milliseconds. */
const RECALL_MS = 5_000
const PASSAGES = 5
/** Of long-term memory. */
const MEMORIES = 5
/** That are found for these: some are of messages that the prompt shows anyway. */
const MEMORIES_FOUND = 15
/** Older messages of the conversation that are compared. */
const MAX_OLDER = 500
/** Characters of an attachment that the model gets in full, from the beginning. */
const ATTACHED_TEXT = 12_000

export interface Recalled extends Recall {
  /** The query of the search. */
  query: string
  model: string
  /** Whether its embeddings are paid for. */
  billed: boolean
  duration_ms: number
  /** The reason when the search failed or timed out. */
  error?: string
}

interface Resources extends PassageResources {
  messageVectors: MessageVectors
}

type Found = Pick<Recall, 'passages' | 'memories'>

const NOTHING: Found = { passages: [], memories: [] }

/** Whether a turn that has not recalled yet has anything to recall. */
export function hasToRecall(given: StepInput, memory: MemoryConfig): boolean {
  const { searchable, attached, has_context } = given
  return searchable || attached || has_context || recallsLongTerm(given, memory) || recallsBuffer(given, memory)
}

function recallsLongTerm({ remembered }: StepInput, { long_term }: MemoryConfig): boolean {
  return long_term && remembered
}

function recallsBuffer({ crowded }: StepInput, { buffer_multiplier = BUFFER_MULTIPLIER }: MemoryConfig): boolean {
  return crowded && buffer_multiplier > 1
}

/**
 * Recalls for a turn's message: passages of documents, messages of earlier, and what is known about the user. The question is
 * embedded once. Never fails, because an answer without all this is better than none.
 * @throws the signal's reason, only
 */
export async function recall(
  resources: Resources,
  given: StepInput,
  memory: MemoryConfig,
  signal: AbortSignal,
): Promise<Recalled> {
  const { turn, asked: question, attached, has_context } = given
  const startedAt = performance.now()
  const query = embeddedTexts(question).question
  const limit = AbortSignal.timeout(RECALL_MS)
  let error: string | undefined
  let { model, billed } = resources.index.embedders.configured
  const searchUntilLimit = async (): Promise<Found> => {
    if (query.trim() === '') return NOTHING
    try {
      const either = AbortSignal.any([signal, limit])
      const searching = resources.index.use(({ embedder }) => {
        ;({ model, billed } = embedder)
        return search(resources, meteredEmbedder(resources.db, embedder, turn.id, turn), given, memory, query, either)
      })
      return await raceSignal(searching, either)
    } catch (failure) {
      signal.throwIfAborted()
      error = limit.aborted ? `took longer than ${RECALL_MS} ms` : briefOf(failure)
      return NOTHING
    }
  }
  const [found, attachments, context] = await Promise.all([
    searchUntilLimit(),
    attached ? attachedText(resources.db, turn.id) : [],
    has_context ? findContextMemory(resources.db, turn.user_id) : undefined,
  ])
  const passages = [...attachments, ...found.passages.filter((hit) => !attachments.some((whole) => holds(whole, hit)))]
  return {
    passages,
    memories: found.memories,
    about_user: context?.knowledge,
    query,
    model,
    billed: billed !== undefined,
    duration_ms: performance.now() - startedAt,
    ...(error !== undefined && { error }),
  }
}

/** All searches of a turn, in parallel, by one vector of the question. */
async function search(
  resources: Resources,
  embedder: IndexEmbedder,
  given: StepInput,
  memory: MemoryConfig,
  text: string,
  signal: AbortSignal,
): Promise<Found> {
  const { turn, searchable, attached, earlier } = given
  const { agent_id, user_id, conversation_id } = turn
  const { db, messageVectors } = resources
  const isLongTerm = recallsLongTerm(given, memory)
  const { buffer, buffer_multiplier = BUFFER_MULTIPLIER } = memory
  const oldest = recallsBuffer(given, memory) ? earlier[0]?.id : undefined
  const mostOlder = Math.min(buffer * (buffer_multiplier - 1), MAX_OLDER)
  const reading = oldest === undefined ? Promise.resolve([]) : readOlder(db, conversation_id, oldest, mostOlder)
  if (!searchable && !attached && !isLongTerm && (await reading).length === 0) return NOTHING
  const embedding = messageVectors.embedQuery(embedder, text, signal)
  const { model } = embedder
  const [near, passages, longTerm] = await Promise.all([
    Promise.all([embedding, reading]).then(async ([vector, older]) => {
      const compared = older.map(({ content }) => content)
      return nearestOf(vector, older, await messageVectors.embed(embedder, compared, signal))
    }),
    embedding.then((vector) =>
      searchable || attached
        ? searchPassages(
            resources,
            { agent_id, scopes: ['', conversation_id], text, top_k: PASSAGES },
            { model, vector },
          )
        : [],
    ),
    embedding.then((vector) =>
      isLongTerm
        ? searchMemories(resources, {
            agent_id,
            user_id,
            text,
            model,
            vector,
            vector_weight: embedder.message_weight,
            limit: MEMORIES_FOUND,
            top_k: MEMORIES_FOUND,
          })
        : [],
    ),
  ])
  const shown = new Set([
    turn.user_message_id,
    ...earlier.map(({ id }) => id),
    ...near.map(({ message_id }) => message_id),
  ])
  const further = longTerm.filter(({ message_id }) => !shown.has(message_id)).slice(0, MEMORIES)
  return { passages, memories: [...further, ...near] }
}

/** Stores what a turn has recalled with its log entry; the first stored result is kept. */
export async function storeRecalled(
  tx: Tx,
  turn_id: string,
  recalled: Recalled,
  { workflow_id, activity_id, attempt }: Pick<LogStart, 'workflow_id' | 'activity_id' | 'attempt'>,
): Promise<void> {
  const { passages, memories, about_user, query, model, duration_ms, error } = recalled
  await storeRecall(tx, turn_id, recalled)
  await addLogEntry(
    tx,
    {
      stream_id: turn_id,
      kind: 'recall',
      name: model,
      workflow_id,
      activity_id: `${activity_id}/recall`,
      attempt,
      input: { query },
    },
    {
      status: error === undefined ? 'completed' : 'failed',
      duration_ms,
      output: {
        passages: passages.map(brief),
        ...(memories.length > 0 && { memories: memories.map(briefMemory) }),
        ...(about_user && { about_user: Object.keys(about_user) }),
      },
      ...(error !== undefined && { error: { message: error } }),
    },
  )
}

/** The beginning of the attachments: "sum this up" matches none of their passages. */
async function attachedText(db: Db, turnId: string): Promise<Passage[]> {
  const passages: Passage[] = []
  let room = ATTACHED_TEXT
  for (const job of await listJobsOfTurn(db, turnId)) {
    for await (const pages of readText(db, job.id)) {
      for (const { page, text, label } of pages) {
        if (room <= 0) return passages
        if (text.trim() === '') continue
        passages.push({
          document_id: job.document_id,
          document: job.name,
          page,
          ...(label !== undefined && { heading: label }),
          content: text.slice(0, room),
          similarity: 1,
        })
        room -= text.length
      }
    }
  }
  return passages
}

function holds(whole: Passage, hit: Passage): boolean {
  return whole.document_id === hit.document_id && whole.page === hit.page && whole.content.includes(hit.content)
}

function brief({ document, page, similarity, content }: Passage) {
  return { document, page, similarity: Number(similarity.toFixed(3)), content: content.slice(0, 200) }
}

/** Without the words: they may be of a conversation that is deleted before this log. */
function briefMemory({ message_id, role, from, similarity }: RecalledMemory) {
  return { message_id, role, from, similarity: Number(similarity.toFixed(3)) }
}
