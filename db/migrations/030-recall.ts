// Indexes for what turns read (tests/e2e/query-plans.test.ts finds what is missing), and codes of vectors, which are compared first.
import { sql, SqliteAdapter, type Kysely } from 'kysely'
import { codeBits, codeOf } from '../vector-code.ts'

const ROWS_AT_ONCE = 500

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.createIndex('routing_decisions_by_agents').on('routing_decisions').column('agents').execute()
  // Documents are found by their scope and source, and by an agent never.
  await db.schema.dropIndex('documents_by_agent').execute()
  await db.schema.createIndex('documents_by_scope').on('documents').columns(['scope', 'knowledge_id']).execute()
  if (!(db.getExecutor().adapter instanceof SqliteAdapter)) return
  const { rows } = await sql<{ name: string; sql: string }>`select name, sql from sqlite_schema
    where type = 'table' and name like 'chunk_vectors_%' and sql like 'create virtual table %'`.execute(db)
  for (const table of rows) await addCodes(db, table.name, Number(/float\[(\d+)\]/i.exec(table.sql)?.[1]))
}

/** Makes the table again: sqlite-vec cannot add a column. */
async function addCodes(db: Kysely<any>, name: string, dimension: number): Promise<void> {
  const table = sql.table(name)
  await sql`create table moved_vectors as select rowid as id, space, embedding from ${table}`.execute(db)
  await sql`drop table ${table}`.execute(db)
  await sql`create virtual table ${table} using vec0(space text partition key, code bit[${sql.lit(codeBits(dimension))}],
    +embedding blob, chunk_size=128)`.execute(db)
  await sql`create index ${sql.ref(`${name}_by_space`)} on ${sql.table(`${name}_chunks`)} (partition00)`.execute(db)
  for (let last = 0, more = true; more;) {
    const { rows } = await sql<{ row: number; id: number; space: string; embedding: Uint8Array }>`
      select rowid as row, id, space, embedding from moved_vectors
      where rowid > ${last} order by rowid limit ${ROWS_AT_ONCE}`.execute(db)
    for (const { id, space, embedding } of rows) {
      const vector = new Float32Array(embedding.slice().buffer)
      await sql`insert into ${table} (rowid, space, code, embedding)
        values (${BigInt(id)}, ${space}, vec_bit(${codeOf(vector)}), ${embedding})`.execute(db)
    }
    last = rows.at(-1)?.row ?? last
    more = rows.length === ROWS_AT_ONCE
  }
  await sql`drop table moved_vectors`.execute(db)
}
