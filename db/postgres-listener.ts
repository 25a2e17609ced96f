// Commits and stop requests of other processes in Postgres: LISTEN on a connection of its own.
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Commits, Foreign } from './dialect.ts'
import { unpack } from './event-rows.ts'

/** How long connecting and a query may take, in milliseconds. */
const CONNECT_MS = 5_000
/** Backoff of reconnects of the LISTEN connection: first and longest delay. */
const RECONNECT_MS = [100, 5_000] as const
/** Interval of liveness checks of the LISTEN connection. */
const LISTEN_CHECK_MS = 10_000
/**
 * Notifications of this process's own commits are delayed by this long, in milliseconds: by then they have been published, unless the outcome of the
 * commit was unknown.
 */
const ECHO_MS = 200

/** Delivers the notifications of a channel, on a separate connection, from the first listener until `close`. */
export class Listener<T> implements Foreign<T> {
  readonly #url: string
  readonly #sender: string
  readonly #channel: string
  readonly #read: (lines: string[]) => T
  readonly #listeners = new Set<(told: T | undefined) => void>()
  readonly #closing = new AbortController()
  #running: Promise<void> | undefined

  /** @param read parses the lines of a message after the first one, which names its sender */
  constructor(url: string, sender: string, channel: string, read: (lines: string[]) => T) {
    this.#url = url
    this.#sender = sender
    this.#channel = channel
    this.#read = read
  }

  listen(listener: (told: T | undefined) => void): () => void {
    this.#listeners.add(listener)
    this.#running ??= this.#run()
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    let pause: number = RECONNECT_MS[0]
    while (!this.#closing.signal.aborted) {
      const client = new pg.Client({
        connectionString: this.#url,
        application_name: `${this.#sender}-listen`,
        connectionTimeoutMillis: CONNECT_MS,
        query_timeout: CONNECT_MS,
        keepAlive: true,
      })
      const over = Promise.withResolvers<void>()
      client.on('error', () => over.resolve())
      client.on('end', () => over.resolve())
      client.on('notification', ({ payload = '' }) => this.#onNotification(payload))
      this.#closing.signal.addEventListener('abort', () => over.resolve(), { once: true })
      try {
        await client.connect()
        await client.query(`listen ${this.#channel}`)
        pause = RECONNECT_MS[0]
        // Commits before this moment were missed.
        this.#tell(undefined)
        await Promise.race([over.promise, this.#watch(client)])
      } catch {
        // Retried below.
      }
      await Promise.race([client.end().catch(() => {}), delay(1_000, undefined, { ref: false })])
      await delay(pause * (0.5 + Math.random()), undefined, { signal: this.#closing.signal }).catch(() => {})
      pause = Math.min(pause * 2, RECONNECT_MS[1])
    }
  }

  /** Rejects when the connection does not respond; a lost network would otherwise go unnoticed for hours. */
  async #watch(client: pg.Client): Promise<void> {
    for (;;) {
      await delay(LISTEN_CHECK_MS, undefined, { signal: this.#closing.signal, ref: false })
      await client.query('select 1')
    }
  }

  #onNotification(payload: string): void {
    if (this.#listeners.size === 0) return
    const [sender, ...lines] = payload.split('\n')
    const told = this.#read(lines)
    if (sender === this.#sender) setTimeout(() => this.#tell(told), ECHO_MS).unref()
    else this.#tell(told)
  }

  #tell(told: T | undefined): void {
    for (const listener of this.#listeners) listener(told)
  }
}

/** Lines of `<stream> <last>` or `<stream> <last> <first> <events>`. */
export function toCommits(lines: string[]): Commits {
  const heads = new Map<string, number>()
  const events: Commits['events'][number][] = []
  for (const line of lines) {
    const [stream = '', last, first, ...packed] = line.split(' ')
    if (first === undefined) heads.set(stream, Number(last))
    else events.push({ stream, events: unpack({ first_id: Number(first), events: packed.join(' ') }, 0) })
  }
  return { heads, events }
}
