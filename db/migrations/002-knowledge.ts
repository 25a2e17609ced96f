// The index of documents: collections of vectors, documents with their published generation, and their chunks.
import { sql, SqliteAdapter, type Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter
  await db.schema
    .createTable('collections')
    .addColumn('id', 'text', (c) => c.notNull().primaryKey())
    .addColumn('model', 'text', (c) => c.notNull())
    .addColumn('dimension', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute()
  await db.schema
    .createTable('documents')
    .addColumn('id', 'text', (c) => c.notNull().primaryKey())
    .addColumn('agent_id', 'text', (c) => c.notNull())
    .addColumn('scope', 'text', (c) => c.notNull())
    .addColumn('knowledge_id', 'text')
    .addColumn('generation', 'integer')
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute()
  await db.schema.createIndex('documents_by_agent').on('documents').columns(['agent_id', 'scope']).execute()
  await db.schema
    .createTable('chunks')
    // Never reused: it is the key of a chunk's vector and words.
    .addColumn('id', sqlite ? 'integer' : 'bigserial', (c) =>
      sqlite ? c.notNull().primaryKey().autoIncrement() : c.notNull().primaryKey(),
    )
    .addColumn('document_id', 'text', (c) => c.notNull())
    .addColumn('generation', 'integer', (c) => c.notNull())
    .addColumn('position', 'integer', (c) => c.notNull())
    .addColumn('collection_id', 'text', (c) => c.notNull())
    .addColumn('page', 'integer', (c) => c.notNull())
    .addColumn('heading', 'text')
    .addColumn('content', 'text', (c) => c.notNull())
    .addUniqueConstraint('chunks_one_a_position', ['document_id', 'generation', 'position'])
    .execute()
  if (!sqlite) return createWords(db)
  // Words without a second copy of the text. `space` holds one word, which restricts a search to its visible chunks.
  await sql`create virtual table chunk_words using fts5(content, heading, space,
    content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2')`.execute(db)
}

/** The extension for the vectors, whose tables come with their collections, and the words. */
async function createWords(db: Kysely<any>): Promise<void> {
  await createVectorExtension(db)
  await db.schema
    .createTable('chunk_words')
    .addColumn('chunk_id', 'bigint', (c) => c.primaryKey().references('chunks.id').onDelete('cascade'))
    .addColumn('words', sql`tsvector`, (c) => c.notNull())
    .execute()
  // Without the pending list (fastupdate), which every search would have to read.
  await sql`create index chunk_words_by_word on chunk_words using gin (words) with (fastupdate = off)`.execute(db)
}

/** SQLSTATEs of an extension that is not installed (since Postgres 16, and before), and of a role that may not create it. */
const UNAVAILABLE = ['0A000', '58P01', '42501']

async function createVectorExtension(db: Kysely<any>): Promise<void> {
  const refuse = (cause?: unknown) => {
    throw new Error(`Cannot use this Postgres: the extension 'vector' (pgvector) must be available, 0.8 or newer`, {
      cause,
    })
  }
  await sql`create extension if not exists vector`.execute(db).catch((error: unknown) => {
    // An unreachable server is a different error.
    if (UNAVAILABLE.includes(String((error as { code?: unknown }).code))) refuse(error)
    throw error
  })
  const { rows } = await sql<{
    version: string
  }>`select extversion as version from pg_extension where extname = 'vector'`.execute(db)
  const [major = 0, minor = 0] = rows[0]?.version.split('.').map(Number) ?? []
  if (major === 0 && minor < 8) refuse()
}
