// Vectors in pgvector and full text in tsvectors, in the main database.
import { sql } from 'kysely'
import { differencesOf } from '../../db/dialect.ts'
import type { Db } from '../../db/schema.ts'
import { addSomeChunks, addVectors } from './chunks.ts'
import { buildNearnessIndex, createNearnessIndex } from './nearness-index.ts'
import { MOST_EXACT, searchPostgres } from './search.ts'
import { wordCounts } from './terms.ts'
import type { VectorDialect } from '../dialect.ts'

/** Rows per statement that inserts or deletes. */
const ROWS_A_STATEMENT = 200
/** Longest wait for the lock of a table that is removed, in milliseconds. */
const LOCK_MS = 200

export interface PostgresVectors {
  /** Connections with the settings of searches. */
  searches: Db
  /** Connections without a timeout of statements. */
  builds: Db
  /** Vectors of a space that are compared exactly. */
  mostExact?: number
}

export function postgresVectors({ searches, builds, mostExact = MOST_EXACT }: PostgresVectors): VectorDialect {
  const counts = wordCounts()
  return {
    async createTable(tx, table, dimension, indexed) {
      // Concurrent creations of the same table would fail.
      await differencesOf(tx).lockNames(tx, [table])
      await sql`create table if not exists ${sql.table(table)} (
        chunk_id bigint primary key references chunks (id) on delete cascade,
        space text collate "C" not null, embedding halfvec(${sql.lit(dimension)}) not null)`.execute(tx)
      await sql`create index if not exists ${sql.ref(`${table}_by_space`)} on ${sql.table(table)} (space)`.execute(tx)
      if (indexed === 'at once') await createNearnessIndex(tx, table, dimension)
    },

    buildIndex: (table, dimension, signal) =>
      buildNearnessIndex({ builds, others: searches }, table, dimension, signal),

    async dropTable(tx, table) {
      // It locks the chunks, too: writers wait for it, and it does not wait for a long transaction.
      await sql`set local lock_timeout = ${sql.lit(LOCK_MS)}`.execute(tx)
      await sql`drop table if exists ${sql.table(table)}`.execute(tx)
    },

    addVectors,

    async addChunks(db, document, chunks, claim) {
      // Lock ordering: sorted, so that two attempts at the same chunks cannot deadlock.
      const ordered = chunks.toSorted((a, b) => a.position - b.position)
      for (let from = 0; from < ordered.length; from += ROWS_A_STATEMENT) {
        const some = ordered.slice(from, from + ROWS_A_STATEMENT)
        await db.transaction().execute(async (tx) => addSomeChunks(tx, document, await claim(tx), some))
      }
    },

    /** Vectors and full text are deleted by cascade. */
    async removeChunks(db, documentId, concerned) {
      for (let removed = ROWS_A_STATEMENT; removed === ROWS_A_STATEMENT;) {
        const { numAffectedRows } = await sql`delete from chunks where id in (
          select id from chunks where document_id = ${documentId} and ${concerned}
          order by id limit ${ROWS_A_STATEMENT} for update)`.execute(db)
        removed = Number(numAffectedRows ?? 0)
      }
    },

    search: (_, ...asked) => searchPostgres({ searches, counts, mostExact }, ...asked),
  }
}
