// Vectors in sqlite-vec and full text in FTS5, in the main database file.
import { setImmediate as yieldToOthers } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Db, Tx } from '../../db/schema.ts'
import { codeBits } from '../../db/vector-code.ts'
import { vectorTable } from '../documents.ts'
import type { VectorDialect } from '../sql-vector-store.ts'
import { addChunk, removeChunk } from './chunks.ts'
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
    async createTable(tx, dimension) {
      const table = vectorTable(dimension)
      // The codes stand in blocks, each of one space; the vectors in rows of their own, so that few of them can be read.
      await sql`create virtual table if not exists ${sql.table(table)} using vec0(
        space text partition key, code bit[${sql.lit(codeBits(dimension))}], +embedding blob,
        chunk_size=${sql.lit(CODES_A_BLOCK)})`.execute(tx)
      // sqlite-vec itself would look through the blocks of all spaces, to search in one and to add to it.
      await sql`create index if not exists ${sql.ref(`${table}_by_space`)} on ${sql.table(`${table}_chunks`)}
        (partition00)`.execute(tx)
    },

    addChunks(db, document, space, chunks) {
      return inSmallTransactions(db, chunks, (tx, chunk) => addChunk(tx, document, space, chunk))
    },

    async removeChunks(db, documentId, concerned) {
      const chunks = await db
        .selectFrom('chunks')
        .innerJoin('collections', 'collections.id', 'chunks.collection_id')
        .select(['chunks.id', 'collections.dimension'])
        .where('document_id', '=', documentId)
        .where(concerned)
        .execute()
      await inSmallTransactions(db, chunks, (tx, { id, dimension }) => removeChunk(tx, id, dimension))
    },

    search: (db, ...asked) => searchSqlite({ db, nearest, counts }, ...asked),
  }
}

async function inSmallTransactions<T>(db: Db, items: T[], act: (tx: Tx, item: T) => Promise<void>): Promise<void> {
  for (let next = 0; next < items.length;) {
    const from = next
    next = await db.transaction().execute(async (tx) => {
      const start = performance.now()
      let done = from
      while (done < items.length && performance.now() - start < TRANSACTION_MS) await act(tx, items[done++]!)
      return done
    })
    await yieldToOthers()
  }
}
