// Reads the changes that were committed since the last read, by any process.
import type { Selectable } from 'kysely'
import type { ChangesTable, Db } from './schema.ts'

export type Change = Pick<Selectable<ChangesTable>, 'topic' | 'item_id' | 'op' | 'user_id'>

/** Changes per statement. */
const BATCH = 500
/** Newest ids among which a new reader looks for those that are not committed yet. */
const LOOK_BACK = 200
/** A transaction that has not committed after so many milliseconds was rolled back. */
const GAP_MS = 60_000
/** Ids that are asked for again at once. */
const MAX_GAPS = 1_000

interface Row extends Change {
  id: number
}

/**
 * Ids are given out before the commit: on Postgres a lower one may become visible after a higher one. The reader keeps
 * the ids that it has not seen, and asks for them again.
 */
export class ChangeReader {
  readonly #db: Db
  #head = 0
  /** Ids that were not visible yet, and until when they are asked for. */
  #gaps = new Map<number, number>()

  private constructor(db: Db) {
    this.#db = db
  }

  /** Of what is committed from now on. */
  static async fromNow(db: Db): Promise<ChangeReader> {
    const reader = new ChangeReader(db)
    const newest = await db
      .selectFrom('changes')
      .select(['id', 'created_at'])
      .orderBy('id', 'desc')
      .limit(LOOK_BACK)
      .execute()
    // What is missing before an old row was rolled back.
    const old = new Date(Date.now() - GAP_MS).toISOString()
    const oldest = newest.findIndex(({ created_at }) => created_at < old)
    const ids = (oldest === -1 ? newest : newest.slice(0, oldest + 1)).map(({ id }) => id).toReversed()
    reader.#head = (ids[0] ?? 1) - 1
    reader.#pass(ids)
    return reader
  }

  /**
   * The next changes in the order of their commits for each item; the same again until `taken` is called, which returns whether
   * others may be lost, because more ids are open than are asked for again.
   */
  async read(): Promise<{ changes: Change[]; more: boolean; taken: () => boolean }> {
    const columns = ['id', 'topic', 'item_id', 'op', 'user_id'] as const
    const rows = (await this.#db
      .selectFrom('changes')
      .select(columns)
      .where('id', '>', this.#head)
      .orderBy('id')
      .limit(BATCH)
      .execute()) as Row[]
    const gaps = [...this.#gaps.keys()]
    const late =
      gaps.length === 0
        ? []
        : ((await this.#db
            .selectFrom('changes')
            .select(columns)
            .where('id', 'in', gaps)
            .orderBy('id')
            .execute()) as Row[])
    const taken = () => {
      for (const { id } of late) this.#gaps.delete(id)
      return this.#pass(rows.map(({ id }) => id))
    }
    return { changes: [...late, ...rows], more: rows.length === BATCH, taken }
  }

  #pass(ids: readonly number[]): boolean {
    let lost = false
    const now = Date.now()
    for (const [id, until] of this.#gaps) if (until < now) this.#gaps.delete(id)
    for (const id of ids) {
      let gap = this.#head + 1
      for (; gap < id && this.#gaps.size < MAX_GAPS; gap += 1) this.#gaps.set(gap, now + GAP_MS)
      lost ||= gap < id
      this.#head = id
    }
    return lost
  }
}
