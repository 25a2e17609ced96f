// What clients changed and what they were refused, written in batches, so that no request waits for it.
import type { Logger } from 'pino'
import type { Principal } from '../../db/queries/keys.ts'
import { insertAudit, type AuditEntry } from '../../db/queries/audit.ts'
import type { Db } from '../../db/schema.ts'

/** Longest time that an entry waits, in milliseconds: what a killed process loses. */
const FLUSH_MS = 100
/** Entries written by one statement. */
const BATCH = 100
/** Entries that wait while the database is away; the newest are dropped beyond, with a warning. */
const MOST_WAITING = 10_000
const RETRY_MS = 2_000
/** Longest path that is kept, in characters. */
const MAX_PATH = 500
/** Answers that say who may do what. */
const REFUSALS = new Set([401, 403, 429])

export interface AuditOptions {
  db: Db
  /** Names a user without its id. */
  pseudonym: (userId: string) => string
  log: Pick<Logger, 'warn'>
}

export interface Audited {
  principal: Pick<Principal, 'key_id' | 'bound_user'> | undefined
  address: string | undefined
  action: string
  path: string
  status: number
  request_id: string | null
}

export class Audit {
  readonly #options: AuditOptions
  #waiting: AuditEntry[] = []
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #dropped = 0

  constructor(options: AuditOptions) {
    this.#options = options
  }

  /** Notes the answer to a request, when it changed something or was a refusal. */
  note({ principal, address, action, path, status, request_id }: Audited): void {
    const isRead = ['GET', 'HEAD', 'OPTIONS'].includes(action)
    if (isRead && !REFUSALS.has(status)) return
    const { pseudonym } = this.#options
    const entry = {
      at: new Date().toISOString(),
      key_id: principal?.key_id ?? null,
      user_hash: principal?.bound_user === undefined ? null : pseudonym(principal.bound_user),
      address: address ?? null,
      action,
      path: path.replace(USER, (_, before: string, id: string) => before + pseudonym(decode(id))).slice(0, MAX_PATH),
      status,
      request_id,
      count: 1,
    }
    const equal = REFUSALS.has(status) ? this.#waiting.find((each) => isSameRefusal(each, entry)) : undefined
    if (equal) equal.count += 1
    else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(entry)
    else this.#dropped += 1
    this.#timer ??= setTimeout(() => void this.#flush(), FLUSH_MS)
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#writing
    await this.#flush()
    clearTimeout(this.#timer)
  }

  #flush(): Promise<void> {
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined
    })
    return this.#writing
  }

  async #write(): Promise<void> {
    const { db, log } = this.#options
    this.#timer = undefined
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH)
      try {
        await insertAudit(db, batch)
      } catch (error) {
        this.#waiting = [...batch, ...this.#waiting].slice(0, MOST_WAITING)
        log.warn({ err: error, waiting: this.#waiting.length }, 'the audit could not be written, it will be again')
        this.#timer = setTimeout(() => void this.#flush(), RETRY_MS)
        return
      }
    }
    if (this.#dropped > 0) log.warn({ entries: this.#dropped }, 'entries of the audit were dropped: too many waited')
    this.#dropped = 0
  }
}

/** Ids of users stand in paths. */
const USER = /^(\/api\/v1\/users\/)([^/]+)/

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Without a key the path is the attacker's choice: the first one stands for all. */
function isSameRefusal(a: AuditEntry, b: AuditEntry): boolean {
  return (
    a.status === b.status &&
    a.key_id === b.key_id &&
    a.address === b.address &&
    a.action === b.action &&
    (a.path === b.path || a.key_id === null)
  )
}
