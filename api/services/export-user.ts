// Everything that is stored of a user as one JSON document, written row by row.
import { Readable } from 'node:stream'
import { findContextMemory } from '../../db/queries/context-memory.ts'
import { listConversations, listMessages } from '../../db/queries/conversations.ts'
import { listFilesOf } from '../../db/queries/files.ts'
import { listMemoriesOf } from '../../db/queries/memories.ts'
import type { ApiContext } from './context.ts'

const PAGE = 100

/** The document as a download. The bytes of files are left out: each says where they are. */
export function exportUser(context: ApiContext, userId: string): Response {
  const bytes = Readable.from(documentOf(context, userId), { objectMode: false })
  return new Response(Readable.toWeb(bytes) as unknown as ReadableStream<Uint8Array>, {
    headers: {
      'content-type': 'application/json',
      'content-disposition': `attachment; filename="user.json"`,
      'cache-control': 'private, no-store',
      'x-content-type-options': 'nosniff',
    },
  })
}

async function* documentOf(context: ApiContext, userId: string): AsyncGenerator<Buffer> {
  const { db } = context.storage
  const known = await findContextMemory(db, userId)
  const head = {
    user_id: userId,
    exported_at: new Date().toISOString(),
    context_memory: known?.knowledge ?? {},
    provenance: known?.sources ?? {},
  }
  yield Buffer.from(JSON.stringify(head).slice(0, -1))
  yield* listOf('conversations', conversationsOf(context, userId))
  yield* listOf('memories', memoriesOf(context, userId))
  yield* listOf('files', filesOf(context, userId))
  yield Buffer.from('}\n')
}

async function* listOf(name: string, items: AsyncIterable<object>): AsyncGenerator<Buffer> {
  yield Buffer.from(`,\n"${name}": [`)
  let separator = ''
  for await (const item of items) {
    yield Buffer.from(`${separator}${JSON.stringify(item)}`)
    separator = ',\n'
  }
  yield Buffer.from(']')
}

async function* conversationsOf({ storage: { db } }: ApiContext, user_id: string) {
  for (let cursor: string | undefined; ;) {
    const conversations = await listConversations(db, { user_id, limit: PAGE, cursor })
    for (const conversation of conversations) {
      const messages = []
      for (let before: string | undefined; ;) {
        const some = await listMessages(db, conversation.id, PAGE, before)
        messages.unshift(...some.toReversed())
        before = some.at(-1)?.id
        if (some.length < PAGE) break
      }
      yield { ...conversation, messages }
    }
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
