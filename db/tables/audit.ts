// Who changed what over the API, and what was refused. Rows are added and, past their retention, deleted; none is changed.

export interface AuditEntriesTable {
  id: string
  at: string
  /** Null when there was no valid key. */
  key_id: string | null
  /** Names the user that the key is bound to, without its id. */
  user_hash: string | null
  /** The client's network address. */
  address: string | null
  /** The HTTP method, or `ws` and the type of the frame. */
  action: string
  /** With ids of users replaced by their hash. */
  path: string
  status: number
  request_id: string | null
  /** How many equal refusals the entry stands for. */
  count: number
}

/** Requests of a route in an hour, of every process. */
export interface RequestCountsTable {
  /** `2026-11-29T18`. */
  hour: string
  /** Method and pattern of the route. */
  name: string
  count: number
}
