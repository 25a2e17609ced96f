// Recall before a turn's first model call: passages of the agent's knowledge and of the conversation's documents that match the question.
import type { Tx, Db } from '../../db/schema.ts'
import { raceSignal } from '../../contracts/signals.ts'
import { listJobsOfTurn } from '../../db/queries/jobs.ts'
import { readText } from '../../db/queries/job-batches.ts'
import { storeRecall, type Passage } from '../../db/queries/recalls.ts'
import { addLogEntry, type LogStart } from '../../db/queries/log.ts'
import type { StepInput } from '../../db/queries/turn-input.ts'
import { ProviderFailure } from '../../providers/failure.ts'
import { findPassages, type PassageResources } from '../../vectors/find-passages.ts'

/** Time limit of the search, in milliseconds. */
const RECALL_MS = 5_000
const PASSAGES = 5
/** Characters of an attachment that the model gets in full, from the beginning. */
const ATTACHED_TEXT = 12_000
/** A longer question is searched by its beginning, in characters. */
const MAX_QUERY = 4_000

export interface Recalled {
  passages: Passage[]
  /** The query of the search. */
  query: string
  model: string
  duration_ms: number
  /** The reason when the search failed or timed out. */
  error?: string
}

/**
 * Finds the passages for a turn's message. Never fails, because an answer without passages is better than none.
 * @throws the signal's reason, only
 */
export async function recallPassages(
  resources: PassageResources,
  { turn, asked: question, attached }: StepInput,
  signal: AbortSignal,
): Promise<Recalled> {
  const startedAt = performance.now()
  const query = question.slice(0, MAX_QUERY)
  const limit = AbortSignal.timeout(RECALL_MS)
  const attachments = attached ? await attachedText(resources.db, turn.id) : []
  const found: { passages: Passage[]; error?: string } = { passages: [] }
  if (query.trim() !== '') {
    const asked = {
      agent_id: turn.agent_id,
      scopes: ['', turn.conversation_id],
      text: query,
      top_k: PASSAGES,
    }
    try {
      const either = AbortSignal.any([signal, limit])
      found.passages = await raceSignal(findPassages(resources, asked, either), either)
    } catch (error) {
      signal.throwIfAborted()
      found.error = limit.aborted ? `took longer than ${RECALL_MS} ms` : nameOf(error)
    }
  }
  const passages = [...attachments, ...found.passages.filter((hit) => !attachments.some((whole) => holds(whole, hit)))]
  const duration_ms = performance.now() - startedAt
  return { passages, query, model: resources.embedder.model, duration_ms, ...(found.error && { error: found.error }) }
}

/** Stores the recalled passages of a turn with their log entry; the first stored result is kept. */
export async function storeRecalled(
  tx: Tx,
  turn_id: string,
  recalled: Recalled,
  { workflow_id, activity_id, attempt }: Pick<LogStart, 'workflow_id' | 'activity_id' | 'attempt'>,
): Promise<void> {
  const { passages, query, model, duration_ms, error } = recalled
  await storeRecall(tx, turn_id, passages)
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
      output: { passages: passages.map(brief) },
      ...(error !== undefined && { error: { message: error } }),
    },
  )
}

/** The provider's message is left out: it may quote the request. */
function nameOf(error: unknown): string {
  if (!(error instanceof ProviderFailure)) return error instanceof Error ? error.name : 'unknown'
  return `${error.provider} ${error.status === undefined ? 'could not be reached' : `answered ${error.status}`}`
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
