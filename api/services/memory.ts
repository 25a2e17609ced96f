// What agents remember of a user, and what is known about a user: listed, searched, changed and cleared.
import { knowledgeFault, MAX_KNOWLEDGE_BYTES, type FieldSource, type Knowledge } from '../../contracts/knowledge.ts'
import { rounded } from '../../contracts/exact-json.ts'
import { wrongField } from '../../contracts/failures.ts'
import { newId } from '../../contracts/ids.ts'
import {
  deleteContextFields,
  deleteContextMemory,
  findContextMemory,
  KnowledgeTooLong,
  mergeContextMemory,
} from '../../db/queries/context-memory.ts'
import { deleteEmbeddings } from '../../db/queries/embeddings.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { deleteMemories, type MemoryOwner } from '../../db/queries/memories.ts'
import { listDocumentsOf } from '../../db/queries/users.ts'
import { meteredEmbedder } from '../../vectors/metered-embedder.ts'
import { searchMemories } from '../../vectors/find-memories.ts'
import type { ApiContext } from './context.ts'
import { toUpstreamError } from './upstream.ts'

export interface FoundMemory {
  content: string
  similarity: number
  created_at: string
  message_id: string
}

/** Memories of a user with an agent, best first. @throws MuxiError budget_exceeded, upstream_error */
export async function findMemories(
  { storage: { db }, index, closing, log }: ApiContext,
  { key_id }: Pick<Principal, 'key_id'>,
  owner: MemoryOwner,
  query: string,
  limit: number,
): Promise<FoundMemory[]> {
  const found = await index.use(async ({ embedder }) => {
    const booked = meteredEmbedder(db, embedder, newId('req'), { key_id, ...owner })
    const [vector] = await booked.embed([query], closing, 'query').catch((error: unknown) => {
      log.warn({ err: error, embedder: embedder.model }, 'a search failed')
      throw toUpstreamError('The query could not be embedded', error)
    })
    const { model, message_weight: vector_weight } = embedder
    return searchMemories({ db, index }, { ...owner, text: query, model, vector: vector!, vector_weight, limit })
  })
  return found.map(({ content, similarity, said_at: created_at, message_id }) => {
    return { content, similarity, created_at, message_id }
  })
}

/** Makes an agent forget what a user said to it; the messages stay in their conversations. */
export async function clearMemories({ storage: { db }, vectors }: ApiContext, owner: MemoryOwner): Promise<void> {
  // Before the rows, which say what there is.
  await deleteEmbeddings(
    db,
    (await listDocumentsOf(db, owner)).flatMap(({ passages }) => passages),
  )
  const { documents } = await db.transaction().execute((tx) => deleteMemories(tx, owner))
  for (const id of documents) await vectors.discard(id)
}

/** What is known about a user. */
export async function viewContext({ storage: { db } }: ApiContext, user_id: string) {
  const found = await findContextMemory(db, user_id)
  return { user_id, knowledge: found?.knowledge ?? {}, last_updated: found?.updated_at ?? null }
}

/** Where each field came from, by its dotted path. */
export async function viewProvenance(
  { storage: { db } }: ApiContext,
  user_id: string,
): Promise<{ user_id: string; provenance: Record<string, FieldSource & { source: 'message' | 'api' }> }> {
  const found = await findContextMemory(db, user_id)
  const entries = Object.entries(found?.sources ?? {}).map(([path, source]) => {
    return [path, { ...source, source: source.message_id === undefined ? 'api' : 'message' }] as const
  })
  return { user_id, provenance: Object.fromEntries(entries) }
}

/** Merges fields, read by `parseExact`, into what is known about a user. @returns the dotted paths of the fields that were set @throws MuxiError */
export async function addContext(
  { storage: { db } }: ApiContext,
  user_id: string,
  knowledge: Knowledge,
): Promise<string[]> {
  const fault = knowledgeFault(knowledge)
  if (fault) throw wrongField(WHAT, ['knowledge', fault.path].filter(Boolean).join('.'), fault.expected)
  const kept = rounded(knowledge) as Knowledge
  try {
    return await db.transaction().execute((tx) => mergeContextMemory(tx, user_id, kept, {}))
  } catch (error) {
    if (!(error instanceof KnowledgeTooLong)) throw error
    throw wrongField(
      WHAT,
      'knowledge',
      `at most ${MAX_KNOWLEDGE_BYTES} bytes of JSON together with what is known already`,
    )
  }
}

const WHAT = 'store the knowledge'

/** Deletes fields by dotted paths, or everything. @returns the fields that existed */
export async function removeContext(
  { storage: { db } }: ApiContext,
  user_id: string,
  fields: string[] | undefined,
): Promise<string[]> {
  return db
    .transaction()
    .execute((tx) => (fields ? deleteContextFields(tx, user_id, fields) : deleteContextMemory(tx, user_id)))
}
