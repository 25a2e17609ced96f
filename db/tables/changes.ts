// Recent changes of what the live feed shows; written by triggers only (migration 037), kept for minutes.
import type { Generated } from 'kysely'
import type { ChangeOp, Topic } from '../../contracts/feed.ts'

export interface ChangesTable {
  /** Never reused. On Postgres a transaction may commit after another one with a higher id. */
  id: Generated<number>
  topic: Topic
  item_id: string
  op: ChangeOp
  /** Whose it is; null for what belongs to no user, and once the user is forgotten. */
  user_id: string | null
  created_at: Generated<string>
}
