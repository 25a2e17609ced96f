// The words of the full-text index are made by this program, the same on both databases: every chunk is indexed again.
import { createHash } from 'node:crypto'
import { SqliteAdapter, sql, type Kysely } from 'kysely'
import { indexWords } from '../../contracts/search-words.ts'

/** Chunks in memory at once. */
const AT_ONCE = 500

interface Chunk {
  id: number
  content: string
  heading: string | null
  collection_id: string
  agent_id: string
  scope: string
}

const isSqlite = (db: Kysely<any>) => db.getExecutor().adapter instanceof SqliteAdapter

export async function up(db: Kysely<any>): Promise<void> {
  if (isSqlite(db)) {
    await sql`drop table chunk_words`.execute(db)
    // Words arrive folded and apart: 'ascii' leaves every other character as it is.
    await sql`create virtual table chunk_words using fts5(content, heading, space,
      content = '', contentless_delete = 1, tokenize = 'ascii')`.execute(db)
  } else {
    await sql`delete from chunk_words`.execute(db)
  }
  for (let after = 0; ;) {
    const { rows } = await sql<Chunk>`select chunks.id, content, heading, collection_id, agent_id, scope
      from chunks join documents on documents.id = chunks.document_id
      where chunks.id > ${after} order by chunks.id limit ${AT_ONCE}`.execute(db)
    for (const chunk of rows) await insertWords(db, chunk)
    const last = rows.at(-1)
    if (!last) return
    after = Number(last.id)
  }
}

async function insertWords(db: Kysely<any>, { id, content, heading, ...owner }: Chunk): Promise<void> {
  const space = spaceOf(owner)
  if (isSqlite(db)) {
    const [words, title] = [content, heading ?? ''].map((text) => indexWords(text).join(' '))
    await sql`insert into chunk_words (rowid, content, heading, space)
      values (${BigInt(id)}, ${words}, ${title}, ${space})`.execute(db)
    return
  }
  await sql`insert into chunk_words (chunk_id, words) values (${id}::bigint, ${vectorOf(heading ?? '', 'A')}::tsvector
    || ${vectorOf(content, 'D')}::tsvector || array_to_tsvector(array[${`/${space}`}::text]))`.execute(db)
}

/** As the vector stores name a space. */
function spaceOf({ collection_id, agent_id, scope }: Omit<Chunk, 'id' | 'content' | 'heading'>): string {
  const named = JSON.stringify([collection_id, agent_id, scope])
  return createHash('sha256').update(named).digest('hex').slice(0, 32)
}

function vectorOf(text: string, weight: string): string {
  const lexemes = indexWords(text).map((word, index) => `'${word}':${Math.min(index + 1, 16_383)}${weight}`)
  return lexemes.join(' ')
}
