// What is stored of a user as one JSON document, written row by row.
import { findContextMemory } from '../../db/queries/context-memory.ts'
import { listConversations } from '../../db/queries/conversations.ts'
import { listFilesOf } from '../../db/queries/files.ts'
import { listJobs } from '../../db/queries/jobs.ts'
import { listMemoriesOf } from '../../db/queries/memories.ts'
import { viewBudget } from './budgets.ts'
import type { ApiContext } from './context.ts'
import { viewJob } from './jobs.ts'
import { download, jsonOf } from './messages.ts'

const PAGE = 100

/** The document as a download. The bytes of files are left out: each says where they are. */
export function exportUser(context: ApiContext, userId: string): Response {
  return download(documentOf(context, userId), 'user.json', 'application/json')
}

async function* documentOf(context: ApiContext, userId: string): AsyncGenerator<string> {
  const { db } = context.storage
  const known = await findContextMemory(db, userId)
  const head = {
    user_id: userId,
    exported_at: new Date().toISOString(),
    context_memory: known?.knowledge ?? {},
    provenance: known?.sources ?? {},
    budget: await viewBudget(db, { kind: 'user', id: userId }),
  }
  yield openObject(head)
  yield* listOf('conversations', conversationsOf(context, userId))
  yield* listOf('memories', each(memoriesOf(context, userId)))
  yield* listOf('files', each(filesOf(context, userId)))
  yield* listOf('jobs', each(jobsOf(context, userId)))
  yield '}\n'
}

/** An object that more members follow. */
function openObject(head: object): string {
  return JSON.stringify(head).slice(0, -1)
}

/** A member whose value is a list. @param items the texts of an item each, in pieces */
async function* listOf(name: string, items: AsyncIterable<AsyncIterable<string>>): AsyncGenerator<string> {
  yield `,\n"${name}": [`
  let separator = ''
  for await (const item of items) {
    if (separator !== '') yield separator
    yield* item
    separator = ',\n'
  }
  yield ']'
}

async function* each(items: AsyncIterable<object>): AsyncGenerator<AsyncGenerator<string>> {
  for await (const item of items) yield pieceOf(item)
}

async function* pieceOf(item: object): AsyncGenerator<string> {
  yield JSON.stringify(item)
}

async function* conversationsOf(context: ApiContext, user_id: string): AsyncGenerator<AsyncGenerator<string>> {
  for (let cursor: string | undefined; ;) {
    const conversations = await listConversations(context.storage.db, {
      user_id,
      with_hidden: 'all',
      limit: PAGE,
      cursor,
    })
    for (const conversation of conversations) yield jsonOf(context.storage.db, conversation, true)
    cursor = conversations.at(-1)?.id
    if (conversations.length < PAGE) return
  }
}

async function* memoriesOf({ storage: { db } }: ApiContext, userId: string) {
  for (let cursor: string | undefined; ;) {
    const memories = await listMemoriesOf(db, userId, PAGE, cursor)
    yield* memories
    cursor = memories.at(-1)?.id
    if (memories.length < PAGE) return
  }
}

async function* filesOf({ storage: { db } }: ApiContext, userId: string) {
  for (const { id, name, type, size, sha256, created_at } of await listFilesOf(db, userId))
    yield { id, name, type, size: Number(size), sha256, created_at, content: `/api/v1/files/${id}/content` }
}

async function* jobsOf(context: ApiContext, user_id: string) {
  for (let cursor: string | undefined; ;) {
    const jobs = await listJobs(context.storage.db, { user_id, limit: PAGE, cursor })
    for (const job of jobs) yield { ...viewJob(context, job), text: `/api/v1/jobs/${job.id}/text?format=md` }
    cursor = jobs.at(-1)?.id
    if (jobs.length < PAGE) return
  }
}
