// The vector store in the main database: the part that SQLite and Postgres share.
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Db, Tx } from '../db/schema.ts'
import { Collections, IndexClosed, type Serving } from './collections.ts'
import type { AddedTo, VectorDialect } from './dialect.ts'
import { enterDocument, spaceOf } from './documents.ts'
import type {
  DocumentGeneration,
  Hit,
  ServingModel,
  VectorChunk,
  VectorModel,
  VectorQuery,
  VectorStore,
} from './store.ts'

/** Interval of looks at a closed index, in milliseconds. */
const CLOSED_LOOK_MS = 100
/** Longest wait for it: the switch takes seconds, and one that is not made ends by itself. */
const MOST_CLOSED_MS = 30_000
const SEARCH = 'search the index'

export class SqlVectorStore implements VectorStore {
  readonly #db: Db
  readonly #dialect: VectorDialect
  readonly #collections: Collections
  readonly #mostClosedMs: number

  /** @param mostClosedMs longest wait of writers for a closed index, in milliseconds */
  constructor(db: Db, dialect: VectorDialect, mostClosedMs = MOST_CLOSED_MS) {
    this.#mostClosedMs = mostClosedMs
    this.#db = db
    this.#dialect = dialect
    this.#collections = new Collections(db, dialect)
  }

  serving(configured: VectorModel): Promise<ServingModel> {
    return this.#collections.serving(configured)
  }

  servingNow(configured: VectorModel): Promise<ServingModel> {
    this.#collections.forget()
    return this.#collections.serving(configured)
  }

  async addChunks(document: DocumentGeneration, chunks: VectorChunk[], signal?: AbortSignal): Promise<void> {
    const { model, agent_id, scope } = document
    const dimensions = new Set(chunks.map(({ vector }) => vector.length))
    const claim = async (tx: Tx): Promise<AddedTo> => {
      let claimed
      for (const dimension of dimensions)
        claimed = await this.#collections.claim(tx, 'add to the index', { model, dimension })
      const { id: collection, vectors: table } = claimed!
      return { collection, table, space: spaceOf(collection, agent_id, scope) }
    }
    const add = async () => {
      await this.#db.transaction().execute(async (tx) => {
        if (chunks.length > 0) await claim(tx)
        await enterDocument(tx, document)
      })
      await this.#dialect.addChunks(this.#db, document, chunks, claim)
    }
    await untilOpen(add, this.#mostClosedMs, signal)
  }

  async publish(documentId: string, generation: number): Promise<void> {
    // A superseded run of an older generation changes nothing.
    await this.#db
      .updateTable('documents')
      .set({ generation })
      .where('id', '=', documentId)
      .where((is) => is.or([is('generation', 'is', null), is('generation', '<', generation)]))
      .execute()
    const shown = await this.#db
      .selectFrom('documents')
      .select('generation')
      .where('id', '=', documentId)
      .executeTakeFirst()
    if (shown?.generation) await this.#dialect.removeChunks(this.#db, documentId, sql`generation < ${shown.generation}`)
  }

  async discard(documentId: string, generation?: number): Promise<void> {
    // The document is hidden at once, its chunks are deleted afterwards.
    if (generation === undefined) await this.#db.deleteFrom('documents').where('id', '=', documentId).execute()
    else
      await this.#db
        .updateTable('documents')
        .set({ generation: null })
        .where('id', '=', documentId)
        .where('generation', '=', generation)
        .execute()
    const concerned = generation === undefined ? sql<boolean>`true` : sql<boolean>`generation = ${generation}`
    await this.#dialect.removeChunks(this.#db, documentId, concerned)
  }

  async #agentsIn(conversations: string[]): Promise<Map<string, string[]>> {
    if (conversations.length === 0) return new Map()
    const rows = await this.#db
      .selectFrom('documents')
      .select(['scope', 'agent_id'])
      .distinct()
      .where('scope', 'in', conversations)
      .execute()
    const byScope = Map.groupBy(rows, ({ scope }) => scope)
    return new Map([...byScope].map(([scope, some]) => [scope, some.map((row) => row.agent_id)]))
  }

  async search(query: VectorQuery): Promise<Hit[]> {
    const given = { model: query.model, dimension: query.vector.length }
    const serving = await this.#collections.servingOf(SEARCH, given)
    if (!serving) return []
    try {
      const spaces = spacesOf(serving, query, await this.#agentsIn(query.scopes.filter(isConversation)))
      return await this.#dialect.search(this.#db, serving.table, spaces, query)
    } finally {
      // A table that another process has removed meanwhile is no error, and what was found in it no answer.
      await this.#collections.checkStill(SEARCH, serving, given)
    }
  }
}

/**
 * Adds when the index is not closed; what is added already is not added again.
 * @throws IndexClosed when it is closed for longer than the limit, or the signal's reason
 */
async function untilOpen(add: () => Promise<void>, limitMs: number, signal?: AbortSignal): Promise<void> {
  const startedAt = performance.now()
  for (;;) {
    try {
      return await add()
    } catch (error) {
      if (!(error instanceof IndexClosed) || performance.now() - startedAt > limitMs) throw error
      await delay(CLOSED_LOOK_MS, undefined, { signal }).catch(() => signal?.throwIfAborted())
    }
  }
}

/** Scopes of users have a slash; that of knowledge is empty. */
function isConversation(scope: string): boolean {
  return scope !== '' && !scope.includes('/')
}

/**
 * @param agentsIn those that documents of a conversation were stored for: every agent that answers there may search them, also after a
 * handoff or another choice of the orchestrator
 */
function spacesOf(
  { collections }: Serving,
  { agent_id, scopes }: VectorQuery,
  agentsIn: ReadonlyMap<string, string[]>,
): string[] {
  return collections.flatMap((collection) =>
    scopes.flatMap((scope) =>
      (isConversation(scope) ? (agentsIn.get(scope) ?? []) : [agent_id]).map((agent) =>
        spaceOf(collection, agent, scope),
      ),
    ),
  )
}
