// Vectors in sqlite-vec and full text in FTS5, in the main database file.
import { setImmediate as yieldToOthers } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Db, Tx } from '../../db/schema.ts'
import { codeBits } from '../../db/vector-code.ts'
import type { VectorDialect } from '../dialect.ts'
import { addChunk, addVector, removeChunk } from './chunks.ts'
import type { NearestFinder } from './nearest.ts'
import { searchSqlite } from './search.ts'
import { wordCounts } from './terms.ts'

/** Longest transaction, in milliseconds: writes of chats wait for it. */
const TRANSACTION_MS = 5
/** Codes per block of sqlite-vec; a space takes at least one block. */
const CODES_A_BLOCK = 128

/** @param nearest vector search in the same file */
export function sqliteVectors(nearest: NearestFinder): VectorDialect {
  const counts = wordCounts()
  return {
    async createTable(tx, table, dimension) {
      // The codes stand in blocks, each of one space; the vectors in rows of their own, so that few of them can be read.
      await sql`create virtual table if not exists ${sql.table(table)} using vec0(
        space text partition key, code bit[${sql.lit(codeBits(dimension))}], +embedding blob,
        chunk_size=${sql.lit(CODES_A_BLOCK)})`.execute(tx)
      // sqlite-vec itself would look through the blocks of all spaces, to search in one and to add to it.
      await sql`create index if not exists ${sql.ref(`${table}_by_space`)} on ${sql.table(`${table}_chunks`)}
        (partition00)`.execute(tx)
    },

    // Searches read all codes of a space.
    buildIndex: () => Promise.resolve(),

    async dropTable(tx, table) {
      await sql`drop table if exists ${sql.table(table)}`.execute(tx)
    },

    addChunks(db, document, chunks, claim) {
      return inSmallTransactions(db, chunks, claim, (tx, to, chunk) => addChunk(tx, document, to, chunk))
    },

    async addVectors(tx, table, vectors) {
      for (const vector of vectors) await addVector(tx, table, vector)
    },

    async removeChunks(db, documentId, concerned) {
      const chunks = await db
        .selectFrom('chunks')
        .select('id')
        .where('document_id', '=', documentId)
        .where(concerned)
        .execute()
      await inSmallTransactions(db, chunks, listTables, (tx, tables, { id }) => removeChunk(tx, id, tables))
    },

    search: (db, ...asked) => searchSqlite({ db, nearest, counts }, ...asked),
  }
}

async function listTables(tx: Tx): Promise<string[]> {
  const sets = await tx.selectFrom('vector_sets').select('name').execute()
  return sets.map(({ name }) => name)
}

/** @param begin called first in each transaction */
async function inSmallTransactions<T, C>(
  db: Db,
  items: T[],
  begin: (tx: Tx) => Promise<C>,
  act: (tx: Tx, begun: C, item: T) => Promise<void>,
): Promise<void> {
  for (let next = 0; next < items.length;) {
    const from = next
    next = await db.transaction().execute(async (tx) => {
      const start = performance.now()
      const begun = await begin(tx)
      let done = from
      while (done < items.length && (done === from || performance.now() - start < TRANSACTION_MS))
        await act(tx, begun, items[done++]!)
      return done
    })
    await yieldToOthers()
  }
}
