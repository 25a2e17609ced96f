// What a turn knows before the first word: passages of the agent's knowledge and of the conversation's documents that fit the question.
import { activityInfo, cancellationSignal } from '@temporalio/activity'
import type { RecallResult, TurnInput } from '../contracts/engine.ts'
import { listJobsOfTurn } from '../db/queries/jobs.ts'
import { readText } from '../db/queries/job-batches.ts'
import { findPassages, storeRecall, type Passage } from '../db/queries/knowledge.ts'
import { addLogEntry } from '../db/queries/log.ts'
import { readQuestion } from '../db/queries/turn-input.ts'
import type { Db } from '../db/schema.ts'
import type { ActivityResources } from './resources.ts'

const PASSAGES = 5
/** Characters of what is attached that the model sees whole, from the beginning. */
const ATTACHED_TEXT = 12_000
/** A question longer than this is searched for by its beginning. */
const MAX_QUERY = 4_000

type Resources = Pick<ActivityResources, 'db' | 'vectors' | 'embedder'>

export function recallActivities({ db, vectors, embedder }: Resources) {
  return {
    /** Finds the passages of a turn and stores them, once. */
    async recall({ turn_id }: Pick<TurnInput, 'turn_id'>): Promise<RecallResult> {
      const startedAt = performance.now()
      const { agent_id, conversation_id, content, attached, recalled } = await readQuestion(db, turn_id)
      if (recalled) return { turn_id, passages: recalled.length }
      const text = content.slice(0, MAX_QUERY)
      const attachments = attached ? await attachedText(db, turn_id) : []
      const found = text.trim() === '' ? [] : await search(text, agent_id, conversation_id)
      const passages = [...attachments, ...found.filter((hit) => !attachments.some((whole) => holds(whole, hit)))]
      await db.transaction().execute(async (tx) => {
        await storeRecall(tx, turn_id, passages)
        const { activityId, attempt, workflowExecution } = activityInfo()
        const workflow_id = workflowExecution?.workflowId ?? ''
        await addLogEntry(
          tx,
          {
            turn_id,
            kind: 'recall',
            name: embedder.model,
            workflow_id,
            activity_id: activityId,
            attempt,
            input: { query: text },
          },
          {
            status: 'completed',
            duration_ms: performance.now() - startedAt,
            output: { passages: passages.map(brief) },
          },
        )
      })
      return { turn_id, passages: passages.length }
    },
  }

  async function search(text: string, agent_id: string, conversationId: string): Promise<Passage[]> {
    const [vector] = await embedder.embed([text], cancellationSignal())
    await vectors.ensureCollection({ id: embedder.model, model: embedder.model, dimension: embedder.dimension })
    return findPassages(db, vectors, {
      collection: embedder.model,
      agent_id,
      scopes: ['', conversationId],
      text,
      vector: vector!,
      top_k: PASSAGES,
    })
  }
}

/** The beginning of what came with the message: "sum this up" resembles no passage of it. */
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
