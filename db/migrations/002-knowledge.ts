// The index of documents: collections of vectors, documents with the generation that is shown, and their chunks.
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
    // Never given out twice: the vectors and words of a chunk are found by it.
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
  if (!sqlite) return
  // Words without a second copy of the text. `space` holds one word, by which a search stays within what it may see.
  await sql`create virtual table chunk_words using fts5(content, heading, space,
    content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2')`.execute(db)
}
