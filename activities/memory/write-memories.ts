// The activity that drains the outbox of a conversation: its messages are embedded, indexed in the partition of their user, and
// remembered by rows. Idempotent: every attempt of every worker writes the same passages under the same ids.
import { activityInfo, cancellationSignal } from '@temporalio/activity'
import { MuxiError } from '../../contracts/failures.ts'
import { memoryIdOf, memoryScope, type MemoryRef } from '../../contracts/memory.ts'
import { getAgentVersion } from '../../db/queries/agents.ts'
import { addLogEntry } from '../../db/queries/log.ts'
import { findRemembered, insertMemories, listSaid, toMemories, type SaidMessage } from '../../db/queries/memories.ts'
import { claimOutbox, deleteForgotten, listOutbox, takeOutbox, type OutboxRow } from '../../db/queries/memory-outbox.ts'
import { settleLost } from '../../db/queries/usage.ts'
import { findTurn } from '../../db/queries/turns.ts'
import type { Db } from '../../db/schema.ts'
import { chunkPages } from '../../media/document/chunk.ts'
import { ProviderFailure } from '../../providers/failure.ts'
import { meteredEmbedder } from '../../vectors/metered-embedder.ts'
import type { IndexEmbedder } from '../../vectors/search-index.ts'
import { embedOnce, isRefusedText } from '../embed-once.ts'
import { toHiddenCallFailure } from '../failures.ts'
import { startBeating } from '../heartbeat.ts'
import type { ActivityResources } from '../resources.ts'
import { extractUserInfo } from './extract-user-info.ts'

/** Turns of one activity. */
const TURNS = 20
/** A longer message is remembered by its beginning, in characters. */
const MAX_CHARACTERS = 32_000
/** Memories have one generation: a message never changes. */
const GENERATION = 1

type Resources = Pick<ActivityResources, 'db' | 'box' | 'vectors' | 'index' | 'models'>

export function memoryActivities(resources: Resources) {
  const { db } = resources
  return {
    /** @returns how many messages were remembered, and whether turns are left */
    async writeMemories({ conversation_id }: MemoryRef): Promise<{ written: number; left: boolean }> {
      const stopBeating = startBeating()
      try {
        const turns = await listOutbox(db, conversation_id, TURNS)
        let written = 0
        for (const turn of turns) written += await rememberTurn(resources, turn, cancellationSignal())
        return { written, left: turns.length === TURNS }
      } finally {
        stopBeating()
      }
    },
  }
}

/** Remembers what was said in one turn. @returns how many messages were remembered by this call */
export async function rememberTurn(resources: Resources, row: OutboxRow, signal: AbortSignal): Promise<number> {
  const { db } = resources
  const startedAt = performance.now()
  // Of an attempt that died.
  await db.transaction().execute((tx) => settleLost(tx, row.turn_id, 0))
  if (!(await claimOutbox(db, row.turn_id))) return dropUnwanted(resources, row)
  const turn = await findTurn(db, row.turn_id)
  const version = turn && { ...turn, ...(await getAgentVersion(db, turn.agent_id, turn.agent_version)) }
  const all = version ? await listSaid(db, row.turn_id) : []
  const asked = all.find(({ role }) => role === 'user')
  if (version?.config.memory.extract_user_info && asked) await extractOrRetry(resources, row, version, asked, signal)
  const said = version?.config.memory.long_term ? all : []
  if (version) for (const message of said) await remember(resources, row, version.key_id, message, signal)
  const taken = await db.transaction().execute(async (tx) => {
    if (!(await takeOutbox(tx, row.turn_id))) return false
    await insertMemories(tx, toMemories(row, said, memoryIdOf))
    if (said.length > 0)
      await addLogEntry(tx, logStart(row, said), { ...DONE, duration_ms: performance.now() - startedAt })
    return true
  })
  return taken ? said.length : dropUnwanted(resources, row)
}

/**
 * Another worker has remembered the turn, or its messages were deleted meanwhile: removes passages of what is not remembered.
 * @returns 0
 */
async function dropUnwanted({ db, vectors }: Resources, { turn_id, ...row }: OutboxRow): Promise<number> {
  const ids = [row.user_message_id, row.message_id].map(memoryIdOf)
  const remembered = await findRemembered(db, ids)
  for (const id of ids) if (!remembered.has(id)) await vectors.discard(id)
  await deleteForgotten(db, turn_id)
  return 0
}

async function extractOrRetry(...args: Parameters<typeof extractUserInfo>): Promise<void> {
  await extractUserInfo(...args).catch((error: unknown) => {
    throw error instanceof ProviderFailure ? toHiddenCallFailure(error) : error
  })
}

async function remember(
  { db, vectors, index }: Resources,
  { turn_id, agent_id, user_id }: OutboxRow,
  key_id: string | null,
  message: SaidMessage,
  signal: AbortSignal,
): Promise<void> {
  const chunks = chunkPages([{ page: 1, text: message.content.slice(0, MAX_CHARACTERS).toWellFormed() }])
  const document_id = memoryIdOf(message.id)
  const scope = memoryScope(user_id)
  await index.use(async ({ embedder }) => {
    const texts = chunks.map(({ text }) => text)
    const metered = meteredEmbedder(db, embedder, turn_id, { key_id, user_id, agent_id })
    const embedded = await embed(db, metered, texts, signal)
    await vectors.addChunks(
      { model: embedder.model, agent_id, scope, document_id, generation: GENERATION },
      chunks.map(({ text, page, position }, place) => ({ text, page, position, vector: embedded[place]! })),
      signal,
    )
  })
  await vectors.publish(document_id, GENERATION)
}

/**
 * Vectors of the texts; zero vectors, which are not indexed, when the embedding server refuses the texts themselves or a budget is
 * used up: such a message is found by its words only.
 */
async function embed(db: Db, embedder: IndexEmbedder, texts: string[], signal: AbortSignal): Promise<Float32Array[]> {
  try {
    return await embedOnce(db, embedder, texts, signal)
  } catch (error) {
    signal.throwIfAborted()
    const none = () => texts.map(() => new Float32Array(embedder.dimension))
    if (error instanceof MuxiError && error.code === 'budget_exceeded') return none()
    if (!(error instanceof ProviderFailure)) throw error
    if (!isRefusedText(error)) throw toHiddenCallFailure(error)
    return none()
  }
}

const DONE = { status: 'completed' } as const

function logStart({ turn_id }: OutboxRow, said: readonly SaidMessage[]) {
  const { activityId, attempt, workflowExecution } = activityInfo()
  return {
    stream_id: turn_id,
    kind: 'memory_write' as const,
    name: 'long_term',
    workflow_id: workflowExecution?.workflowId ?? '',
    // A workflow of this id runs again for every turn.
    activity_id: `${workflowExecution?.runId}/${activityId}/${turn_id}`,
    attempt,
    input: { messages: said.map(({ id }) => id) },
  }
}
