// Recent changes, for the live feed, and the triggers that note them, in the transaction that makes them: no writer can miss it. To
// note others, a later migration replaces triggers.
import { sql, SqliteAdapter, type Kysely, type RawBuilder } from 'kysely'
import type { ChangeOp, Topic } from '../../contracts/feed.ts'
import { differencesOf } from '../dialect.ts'
import type { RowTrigger } from '../row-trigger.ts'

export async function up(db: Kysely<any>): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter
  const stamp = sqlite
    ? sql`(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))`
    : sql`to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
  await db.schema
    .createTable('changes')
    // Never reused: readers go on after the last one they know.
    .addColumn('id', sqlite ? 'integer' : 'bigserial', (c) =>
      sqlite ? c.notNull().primaryKey().autoIncrement() : c.notNull().primaryKey(),
    )
    .addColumn('topic', 'text', (c) => c.notNull())
    .addColumn('item_id', 'text', (c) => c.notNull())
    .addColumn('op', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text')
    .addColumn('created_at', 'text', (c) => c.notNull().defaultTo(stamp))
    .execute()
  for (const trigger of notedChanges()) await differencesOf(db).addRowTrigger(db, trigger)
}

interface Noted {
  topic: Topic
  op: ChangeOp
  /** The row whose `id` is noted. */
  row: 'new' | 'old'
  user_id?: RawBuilder<unknown>
  /** Which rows are noted. */
  where?: RawBuilder<unknown>
}

/** A change of one of these columns changes what lists show. */
const SHOWN = {
  conversations: ['agent_id', 'title', 'archived'],
  turns: ['status', 'agent_id', 'run_id', 'superseded_by'],
  approvals: ['status'],
  jobs: ['status', 'stage', 'done', 'total', 'media'],
} as const

/** Rows that no list shows: the conversations and turns in which agents ask each other. */
const HIDDEN: Partial<Record<Topic, string>> = { conversations: 'hidden_in', turns: 'parent_turn_id' }

function notedChanges(): RowTrigger[] {
  return [...Object.keys(SHOWN).flatMap((table) => ofTable(table as keyof typeof SHOWN)), ...ofAgents(), ofMessages()]
}

function ofTable(table: keyof typeof SHOWN): RowTrigger[] {
  const shown = (row: 'new' | 'old') =>
    HIDDEN[table] === undefined ? sql`1 = 1` : sql`${sql.ref(`${row}.${HIDDEN[table]}`)} is null`
  const columns = SHOWN[table].map((name) => sql.ref(name))
  const differs = SHOWN[table].map((name) => sql`${sql.ref(`old.${name}`)} is distinct from ${sql.ref(`new.${name}`)}`)
  const trigger = (name: string, event: RawBuilder<unknown>, noted: Omit<Noted, 'topic' | 'user_id'>) => ({
    name: `note_${table}_${name}`,
    event,
    body: note({ topic: table, user_id: sql.ref(`${noted.row}.user_id`), ...noted }),
  })
  const on = sql.table(table)
  return [
    trigger('insert', sql`after insert on ${on}`, { op: 'created', row: 'new', where: shown('new') }),
    trigger('update', sql`after update of ${sql.join(columns)} on ${on}`, {
      op: 'updated',
      row: 'new',
      where: sql`${shown('new')} and (${sql.join(differs, sql` or `)})`,
    }),
    trigger('delete', sql`after delete on ${on}`, { op: 'deleted', row: 'old', where: shown('old') }),
  ]
}

/** Agents are marked as deleted, and an id may be used again. */
function ofAgents(): RowTrigger[] {
  const changed = (name: string, op: ChangeOp, where: RawBuilder<unknown>) => ({
    name: `note_agents_${name}`,
    event: sql`after update of version, deleted_at on agents`,
    body: note({ topic: 'agents', op, row: 'new', where }),
  })
  return [
    {
      name: 'note_agents_insert',
      event: sql`after insert on agents`,
      body: note({ topic: 'agents', op: 'created', row: 'new' }),
    },
    changed('update', 'updated', sql`old.deleted_at is null and new.deleted_at is null`),
    changed('return', 'created', sql`old.deleted_at is not null and new.deleted_at is null`),
    changed('delete', 'deleted', sql`old.deleted_at is null and new.deleted_at is not null`),
  ]
}

/** A message changes when its conversation was last used, and the first one its title. */
function ofMessages(): RowTrigger {
  return {
    name: 'note_messages_insert',
    event: sql`after insert on messages`,
    body: sql`insert into changes (topic, item_id, op, user_id)
      select 'conversations', id, 'updated', user_id from conversations
      where id = new.conversation_id and hidden_in is null;`,
  }
}

function note({ topic, op, row, user_id = sql`null`, where = sql`1 = 1` }: Noted): RawBuilder<unknown> {
  return sql`insert into changes (topic, item_id, op, user_id)
    select ${sql.lit(topic)}, ${sql.ref(`${row}.id`)}, ${sql.lit(op)}, ${user_id} where ${where};`
}
