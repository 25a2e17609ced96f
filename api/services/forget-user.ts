// Forgets a user: stops what runs for them, then removes rows, memories, vectors, cached vectors, files and the histories of the
// engine. Every step may be repeated, so a call that was interrupted is finished by the next one.
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '@temporalio/client'
import { MuxiError } from '../../contracts/failures.ts'
import { embeddedTexts, memoryIdOf } from '../../contracts/memory.ts'
import { forgetChangesOf } from '../../db/queries/changes.ts'
import { deleteConversation, listConversations } from '../../db/queries/conversations.ts'
import { forgetAudited } from '../../db/queries/audit.ts'
import { deleteEmbeddings } from '../../db/queries/embeddings.ts'
import { deleteFile, listFilesOf } from '../../db/queries/files.ts'
import { deleteForgotten, listOutboxOf } from '../../db/queries/memory-outbox.ts'
import { listUploadIds } from '../../db/queries/uploads.ts'
import { removeUpload } from '../../db/remove-upload.ts'
import { findUnfinishedOf } from '../../db/queries/turn-queue.ts'
import {
  deleteNotesOf,
  deleteRowsOf,
  forgetUsageOf,
  listDocumentsOf,
  listTextsOf,
  listUnfinishedJobsOf,
  listUnfinishedTurns,
} from '../../db/queries/users.ts'
import type { ApiContext } from './context.ts'
import { cancelJob } from './jobs.ts'
import { cancelTurn } from './turns.ts'

const PAGE = 50
/** Between two looks at the rows, in milliseconds. */
const PAUSE_MS = 100
/** The same between requests for the deletion of histories. */
const HISTORIES_PAUSE_MS = 500
/** How long the writing of memory may take to notice, and the engine to remove histories. */
const WAIT_MS = 10_000
const RETRY_S = 5
/**
 * Within so many milliseconds every process notices that a key was deleted, and closes its streams: longer than a key is cached and
 * than the time between two checks of open streams.
 */
const REVOKED_MS = 2_500
/** A user who goes on writing is not forgotten. */
const MOST_TRIES = 5

export interface ForgottenCounts {
  conversations: number
  messages: number
  memories: number
  files: number
  jobs: number
  keys: number
  context_fields: number
  workflows: number
}

/**
 * Forgets a user everywhere; usage rows stay, which hold numbers only.
 * @param revokedMs how long other processes may still accept the user's keys
 * @throws MuxiError unavailable
 */
export async function forgetUser(
  context: ApiContext,
  userId: string,
  revokedMs = REVOKED_MS,
): Promise<ForgottenCounts> {
  const counts = {
    conversations: 0,
    messages: 0,
    memories: 0,
    files: 0,
    jobs: 0,
    keys: 0,
    context_fields: 0,
    workflows: 0,
  }
  const forgetAll = async () => {
    for (let tries = 1; !(await forgetStored(context, userId, counts)); tries += 1)
      if (tries === MOST_TRIES) throw busy(userId)
  }
  try {
    await forgetAll()
  } finally {
    context.keys.forget()
  }
  await context.openStreams.check()
  // Again: until now the deleted keys could write in other processes.
  await delay(revokedMs)
  await forgetAll()
  await endWriting(context, userId)
  const { db, box } = context.storage
  // Again: what was still being written has had requests.
  await db.transaction().execute(async (tx) => {
    await forgetUsageOf(tx, userId)
    await forgetChangesOf(tx, userId)
  })
  await forgetAudited(db, box.pseudonym(userId))
  counts.workflows = await deleteHistories(context, context.storage.box.pseudonym(userId))
  return counts
}

/** @returns false when a message came meanwhile: what came with it must not be deleted in part */
async function forgetStored(context: ApiContext, userId: string, counts: ForgottenCounts): Promise<boolean> {
  const { storage, vectors } = context
  const { db, blobs } = storage
  await stopWork(context, userId)
  for (;;) {
    const conversations = await listConversations(db, { user_id: userId, with_hidden: 'own', limit: PAGE })
    for (const { id } of conversations) {
      await forgetTexts(
        context,
        await listTextsOf(db, { conversation_id: id }),
        await listDocumentsOf(db, { conversation_id: id }),
      )
      const deleted = await db.transaction().execute(async (tx) => {
        if (await findUnfinishedOf(tx, id)) throw busy(userId)
        return deleteConversation(tx, id)
      })
      for (const document of deleted.documents) await vectors.discard(document)
      counts.conversations += 1
      counts.messages += deleted.messages
      counts.memories += deleted.memories
    }
    if (conversations.length < PAGE) break
  }
  await forgetTexts(context, [], await listDocumentsOf(db, { user_id: userId }))
  const rest = await db.transaction().execute((tx) => deleteRowsOf(tx, userId))
  if (!rest) return false
  for (const document of rest.documents) await vectors.discard(document)
  counts.memories += rest.memories
  counts.jobs += rest.jobs
  counts.keys += rest.keys
  counts.context_fields += rest.fields.length
  // Before the files: an upload that is becoming one then ends without.
  for (const id of await listUploadIds(db, { user_id: userId })) await removeUpload(storage, id)
  for (const file of await listFilesOf(db, userId)) {
    await db.transaction().execute((tx) => deleteFile(tx, file))
    counts.files += 1
  }
  await blobs.deleteAll(userId)
  await deleteNotesOf(db, userId)
  return true
}

function busy(userId: string): MuxiError {
  return new MuxiError(
    'unavailable',
    `Cannot forget user '${userId}' yet: a turn or a job of theirs is being stopped`,
    {
      retryAfter: RETRY_S,
    },
  )
}

/** Cancels turns and jobs, and waits until they have ended. @throws MuxiError unavailable */
async function stopWork(context: ApiContext, userId: string): Promise<void> {
  const { db } = context.storage
  const unlessOver = (error: unknown) => {
    if (!(error instanceof MuxiError) || error.code !== 'conflict') throw error
  }
  for (const turn of await listUnfinishedTurns(db, { user_id: userId })) {
    // Its parent stops it.
    if (turn.parent_turn_id === null) await cancelTurn(context, turn).catch(unlessOver)
  }
  for (const job of await listUnfinishedJobsOf(db, userId)) await cancelJob(context, job).catch(unlessOver)
  const left = [...(await listUnfinishedTurns(db, { user_id: userId })), ...(await listUnfinishedJobsOf(db, userId))]
  if (left.length > 0) throw busy(userId)
}

/** Removes documents from the index, and the cached vectors of their passages and of other texts. */
async function forgetTexts(
  { storage: { db }, vectors }: ApiContext,
  texts: readonly string[],
  documents: readonly { id: string; passages: string[] }[],
): Promise<void> {
  const embedded = texts.flatMap((text) => Object.values(embeddedTexts(text)))
  await deleteEmbeddings(db, [...embedded, ...documents.flatMap(({ passages }) => passages)])
  for (const { id } of documents) await vectors.discard(id)
}

/** Ends what a worker was writing when the memories were deleted: it removes it by itself, unless it has died. */
async function endWriting({ storage: { db }, vectors }: ApiContext, userId: string): Promise<void> {
  const until = Date.now() + WAIT_MS
  let writing = await listOutboxOf(db, userId)
  while (writing.length > 0 && Date.now() < until) {
    await delay(PAUSE_MS)
    writing = await listOutboxOf(db, userId)
  }
  for (const { turn_id, user_message_id, message_id } of writing) {
    for (const id of [user_message_id, message_id]) await vectors.discard(memoryIdOf(id))
    await deleteForgotten(db, turn_id)
  }
}

/** Deletes every workflow of a user, found by its search attribute. @returns how many */
async function deleteHistories({ client, namespace, log }: ApiContext, pseudonym: string): Promise<number> {
  const deleted = new Set<string>()
  const until = Date.now() + WAIT_MS
  for (;;) {
    const found = await listRuns(client, pseudonym)
    if (found.length === 0) return deleted.size
    for (const { workflowId, runId } of found) {
      deleted.add(runId)
      await client.workflowService
        .deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } })
        .catch((error: unknown) => log.warn({ err: error }, 'a history could not be deleted'))
    }
    // The engine deletes them in the background; a run that has just closed may have to be asked for again.
    if (Date.now() > until) {
      log.warn({ workflows: found.length }, 'histories of a forgotten user are still being deleted')
      return deleted.size
    }
    await delay(HISTORIES_PAUSE_MS)
  }
}

async function listRuns(client: Client, pseudonym: string): Promise<{ workflowId: string; runId: string }[]> {
  const runs: { workflowId: string; runId: string }[] = []
  // The pseudonym is hexadecimal.
  for await (const { workflowId, runId } of client.workflow.list({ query: `MuxiUser = '${pseudonym}'` }))
    runs.push({ workflowId, runId })
  return runs
}
