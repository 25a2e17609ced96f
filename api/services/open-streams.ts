// The event streams and WebSockets that are open in this process: limited in number, and closed when their key becomes
// invalid.
import type { Logger } from 'pino'
import { MuxiError } from '../../contracts/failures.ts'
import type { Principal } from '../../db/queries/keys.ts'

/** Interval of lookups for keys that expired, or were deleted or rotated by other processes, in milliseconds. */
const CHECK_MS = 2_000

export interface OpenStreamsOptions {
  limits: { streams_per_key: number; streams: number }
  /** Returns those of these secret hashes that are still valid. */
  findValid: (hashes: string[]) => Promise<ReadonlySet<string>>
  log: Pick<Logger, 'warn'>
}

export interface OpenStream {
  /** Aborts when the key is no longer valid. */
  revoked: AbortSignal
  /** Must be called when the stream has ended; idempotent. */
  close: () => void
}

/** The streams of one secret of a key. */
interface Opened {
  revoked: AbortController
  count: number
}

export class OpenStreams {
  readonly #options: OpenStreamsOptions
  readonly #perKey = new Map<string, number>()
  readonly #perHash = new Map<string, Opened>()
  #all = 0
  #timer: NodeJS.Timeout | undefined
  #checking: Promise<void> | undefined

  constructor(options: OpenStreamsOptions) {
    this.#options = options
  }

  /** The event streams and WebSockets that are open. */
  get count(): number {
    return this.#all
  }

  /** The keys and secrets that are in memory: those with an open stream. */
  get remembered(): number {
    return this.#perKey.size + this.#perHash.size
  }

  /** Counts a stream. @throws MuxiError rate_limited */
  open(principal: Principal): OpenStream {
    const { key_id } = principal
    const ofKey = this.#perKey.get(key_id) ?? 0
    const { streams, streams_per_key } = this.#options.limits
    if (ofKey >= streams_per_key) throw tooMany(`this key has ${ofKey} open, and may have ${streams_per_key} at once`)
    if (this.#all >= streams) throw tooMany(`the server has ${this.#all} open, and may have ${streams} at once`)
    this.#perKey.set(key_id, ofKey + 1)
    this.#all += 1
    const watched = this.watch(principal)
    return {
      revoked: watched.revoked,
      close: once(() => {
        watched.close()
        this.#all -= 1
        const left = (this.#perKey.get(key_id) ?? 1) - 1
        if (left > 0) this.#perKey.set(key_id, left)
        else this.#perKey.delete(key_id)
      }),
    }
  }

  /** The same without counting: for waiting requests, which have their own limits. */
  watch({ key_hash }: Principal): OpenStream {
    const opened = this.#perHash.get(key_hash) ?? { revoked: new AbortController(), count: 0 }
    opened.count += 1
    this.#perHash.set(key_hash, opened)
    // Without authentication no key can become invalid.
    if (key_hash !== '') this.#timer ??= setInterval(() => void (this.#checking ?? this.check()), CHECK_MS).unref()
    return {
      revoked: opened.revoked.signal,
      close: once(() => {
        opened.count -= 1
        if (opened.count === 0 && this.#perHash.get(key_hash) === opened) this.#forget(key_hash)
      }),
    }
  }

  /** Closes the streams of keys that are invalid at the time of the call. */
  check(): Promise<void> {
    // A running check may have read the keys before the caller changed them.
    const checking = (this.#checking ?? Promise.resolve())
      .then(() => this.#check())
      .finally(() => {
        if (this.#checking === checking) this.#checking = undefined
      })
    this.#checking = checking
    return checking
  }

  async #check(): Promise<void> {
    const hashes = [...this.#perHash.keys()].filter((hash) => hash !== '')
    if (hashes.length === 0) return
    try {
      const valid = await this.#options.findValid(hashes)
      for (const hash of hashes) {
        if (valid.has(hash)) continue
        this.#perHash.get(hash)?.revoked.abort()
        this.#forget(hash)
      }
    } catch (error) {
      // Without the database streams have no events either; the next check follows soon.
      this.#options.log.warn({ err: error }, 'the keys of open streams could not be checked')
    }
  }

  #forget(hash: string): void {
    this.#perHash.delete(hash)
    if (this.#perHash.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function tooMany(why: string): MuxiError {
  return new MuxiError('rate_limited', `Cannot open a stream: ${why}`, { retryAfter: 1 })
}

function once(run: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    run()
  }
}
