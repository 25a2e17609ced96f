// The full-text index over messages.
import { sql, SqliteAdapter, type Kysely } from 'kysely'
import { differencesOf } from '../dialect.ts'
import type { RowTrigger } from '../row-trigger.ts'

export async function up(db: Kysely<any>): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter
  await db.schema
    .createTable('message_index')
    // The key of a message's words. Negative ones are of messages from before the index.
    .addColumn('id', sqlite ? 'integer' : 'bigserial', (c) =>
      sqlite ? c.notNull().primaryKey().autoIncrement() : c.notNull().primaryKey(),
    )
    .addColumn('message_id', 'text', (c) => c.notNull().unique())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('indexed', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
  // Of those that are to be indexed, which are few.
  await sql`create index message_index_pending on message_index (user_id, id) where indexed = 0`.execute(db)
  if (sqlite)
    await sql`create virtual table message_words using fts5(content, space,
      content = '', contentless_delete = 1, tokenize = 'ascii')`.execute(db)
  else {
    await db.schema
      .createTable('message_words')
      .addColumn('id', 'bigint', (c) => c.primaryKey().references('message_index.id').onDelete('cascade'))
      .addColumn('words', sql`tsvector`, (c) => c.notNull())
      .execute()
    await sql`create index message_words_by_word on message_words using gin (words) with (fastupdate = off)`.execute(db)
  }
  for (const trigger of indexedMessages(sqlite)) await differencesOf(db).addRowTrigger(db, trigger)
  // Existing messages are added by the sweeper: a copy here would lock the tables for as long as it takes.
  await db.schema
    .createTable('message_backlog')
    .addColumn('before_id', 'text', (c) => c.notNull())
    .execute()
  await sql`insert into message_backlog (before_id) values ('~')`.execute(db)
}

/** No writer of messages can miss the index, and nothing of a deleted message stays in it. */
function indexedMessages(sqlite: boolean): RowTrigger[] {
  const insert = sql`insert into message_index (message_id, user_id)
    select new.id, user_id from conversations where id = new.conversation_id and hidden_in is null;`
  const remove = sql`delete from message_index where message_id = old.id;`
  const words = sql`delete from message_words where rowid = old.id and old.indexed = 1;`
  return [
    { name: 'index_messages_insert', event: sql`after insert on messages`, body: insert },
    { name: 'index_messages_delete', event: sql`after delete on messages`, body: remove },
    // Postgres has a foreign key.
    ...(sqlite ? [{ name: 'message_index_delete', event: sql`after delete on message_index`, body: words }] : []),
  ]
}
