// A trigger that executes statements for each row, the same on both databases.
import type { RawBuilder } from 'kysely'

export interface RowTrigger {
  name: string
  /** Such as `after insert on model_usage`. */
  event: RawBuilder<unknown>
  /** Statements over the rows `old` and `new`. */
  body: RawBuilder<unknown>
}
