// The codes of spaces as sqlite-vec stores them, in blocks. They are kept in memory, because reading 100,000 of them takes longer
// than comparing them.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

/** Codes of one space. */
export interface CodeBlock {
  /** A bit a place that says whether there is a code. */
  validity: Uint8Array
  /** The id of each place's code, an integer of 64 bits. */
  rowids: Uint8Array
  codes: Uint8Array
}

/** A space's blocks by number. */
interface KeptSpace {
  blocks: Map<number, CodeBlock>
  bytes: number
  /** All codes with ids up to this are there. */
  upto: number
}

type BlockRow = CodeBlock & { block: number }

export class KeptCodes {
  readonly #db: DatabaseSync
  readonly #mostBytes: number
  readonly #statements = new Map<string, StatementSync>()
  /** Least recently used first. */
  readonly #spaces = new Map<string, KeptSpace>()
  #bytes = 0

  /** @param mostBytes of the spaces that are kept; one that is larger is not kept */
  constructor(db: DatabaseSync, mostBytes: number) {
    this.#db = db
    this.#mostBytes = mostBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * The blocks of a space with everything that the open transaction sees, and perhaps with codes that were deleted since: ids only
   * grow, so what was added is found by its id.
   */
  read(table: string, space: string): CodeBlock[] {
    const key = this.#keyOf(table, space)
    const kept = this.#take(key) ?? { blocks: new Map<number, CodeBlock>(), bytes: 0, upto: 0 }
    const upto = Number(this.#prepare(`select max(rowid) as upto from "${table}_rowids"`).get()!['upto'] ?? 0)
    if (upto !== kept.upto) {
      const changed =
        kept.upto === 0
          ? `select chunk_id from "${table}_chunks" where partition00 = ?`
          : `select places.chunk_id from "${table}_rowids" places
              cross join "${table}_chunks" blocks on blocks.chunk_id = places.chunk_id
              where blocks.partition00 = ? and places.rowid > ?`
      for (const { block, ...read } of this.#readBlocks(table, changed, space, ...(kept.upto > 0 ? [kept.upto] : []))) {
        kept.bytes += bytesOf(read) - bytesOf(kept.blocks.get(block))
        kept.blocks.set(block, read)
      }
      kept.upto = upto
    }
    this.#keep(key, kept)
    return [...kept.blocks.values()]
  }

  /** The same without any code that was deleted. */
  readAgain(table: string, space: string): CodeBlock[] {
    this.#take(this.#keyOf(table, space))
    return this.read(table, space)
  }

  #readBlocks(table: string, blocks: string, ...parameters: SQLInputValue[]): BlockRow[] {
    // The plus keeps SQLite from converting, which would keep it from using the index of the codes.
    return this.#prepare(
      `select blocks.chunk_id as block, validity, rowids, vectors as codes from "${table}_chunks" blocks
        cross join "${table}_vector_chunks00" codes on codes.rowid = +blocks.chunk_id
        where blocks.chunk_id in (${blocks})`,
    ).all(...parameters) as unknown as BlockRow[]
  }

  /** Names the set of vectors, too: a later one may take the name of a removed one, and has the same ids. */
  #keyOf(table: string, space: string): string {
    const set = this.#prepare('select created_at from vector_sets where name = ?').get(table)
    return `${table} ${String(set?.['created_at'])} ${space}`
  }

  #keep(key: string, space: KeptSpace): void {
    if (space.bytes > this.#mostBytes) return
    this.#spaces.set(key, space)
    this.#bytes += space.bytes
    for (const oldest of this.#spaces.keys()) {
      if (this.#bytes <= this.#mostBytes) break
      this.#take(oldest)
    }
  }

  #take(key: string): KeptSpace | undefined {
    const space = this.#spaces.get(key)
    this.#spaces.delete(key)
    this.#bytes -= space?.bytes ?? 0
    return space
  }

  #prepare(text: string): StatementSync {
    const statement = this.#statements.get(text) ?? this.#db.prepare(text)
    this.#statements.set(text, statement)
    return statement
  }
}

function bytesOf(block: CodeBlock | undefined): number {
  return block ? block.validity.byteLength + block.rowids.byteLength + block.codes.byteLength : 0
}
