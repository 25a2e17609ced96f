// What clients changed and what they were refused, written in batches, so that no request waits for it.
import type { Logger } from 'pino'
import { newId } from '../../contracts/ids.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { insertAudit } from '../../db/queries/audit.ts'
import type { AuditEntriesTable, Db } from '../../db/schema.ts'

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
  #waiting: AuditEntriesTable[] = []
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
      id: newId('aud'),
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
    const equal = isCounted(entry) ? this.#waiting.find((each) => isSameRefusal(each, entry)) : undefined
    if (equal) equal.count += 1
    else this.#add([entry])
    // While a batch is written, its end starts the next one.
    if (!this.#writing) this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS)
  }

  /** Writes what waits, once more if the database is away. */
  async close(): Promise<void> {
    await this.#writing
    clearTimeout(this.#timer)
    this.#flush()
    await this.#writing
    clearTimeout(this.#timer)
  }

  #add(entries: AuditEntriesTable[]): void {
    const room = Math.max(0, MOST_WAITING - this.#waiting.length)
    this.#waiting.push(...entries.slice(0, room))
    this.#dropped += Math.max(0, entries.length - room)
  }

  /** One write at a time. */
  #flush(): void {
    this.#timer = undefined
    this.#writing = this.#write().then((delay) => {
      this.#writing = undefined
      if (delay !== undefined) this.#timer = setTimeout(() => this.#flush(), delay)
    })
  }

  /** @returns after how many milliseconds there is more to write */
  async #write(): Promise<number | undefined> {
    const { db, log } = this.#options
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH)
      try {
        await insertAudit(db, batch)
      } catch (error) {
        const later = this.#waiting
        this.#waiting = batch
        this.#add(later)
        log.warn({ err: error, waiting: this.#waiting.length }, 'the audit could not be written, it will be again')
        return RETRY_MS
      }
    }
    if (this.#dropped > 0) log.warn({ entries: this.#dropped }, 'entries of the audit were dropped: too many waited')
    this.#dropped = 0
    return undefined
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

/** Whether equal entries are one with a count: refusals, and whatever fails without a key. */
function isCounted({ status, key_id }: AuditEntriesTable): boolean {
  return REFUSALS.has(status) || (key_id === null && status >= 400)
}

/** Without a key, method and path are the attacker's choice: the first ones stand for all. */
function isSameRefusal(a: AuditEntriesTable, b: AuditEntriesTable): boolean {
  if (a.status !== b.status || a.key_id !== b.key_id || a.address !== b.address) return false
  return a.key_id === null || (a.action === b.action && a.path === b.path)
}
