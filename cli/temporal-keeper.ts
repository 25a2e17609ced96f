// Runs one Temporal server per data folder: the first process keeps it running, the others use it and stand by.
import { setTimeout as sleep } from 'node:timers/promises'
import { uiUrlOf } from '../temporal-config/server-arguments.ts'
import { type DevServer, serverFiles, startDevServer } from '../temporal-config/dev-server.ts'
import { isServing } from '../temporal-config/health.ts'
import { readServerState, type ServerPorts } from '../temporal-config/server-state.ts'
import { type DataLock, takeDataLock } from './data-lock.ts'
import { keepRunning, type Running } from './keep-running.ts'
import type { TemporalPlace } from './temporal-place.ts'

const STAND_BY_MS = 1_000
/** Interval of health checks, in milliseconds; each has a timeout of two seconds. */
const LOOK_MS = 5_000
/**
 * Failed checks in a row after which the server is considered hung. Counted, not timed: suspending the machine suspends
 * both.
 */
const SILENT_LOOKS = 4
/** Long enough for another process to build the server on its first start, in milliseconds. */
const OTHER_START_MS = 6 * 60_000

export interface KeeperOptions {
  dataDir: string
  /** Omitted by a process without an API: the endpoint of the last start is kept. */
  codecEndpoint?: string | undefined
  port?: number | undefined
  uiPort?: number | undefined
  memoryMb?: number | undefined
  env: Record<string, string | undefined>
  findBinary: () => Promise<string>
  /** Called when this process begins to keep the server, before it is started. */
  onKeep?: () => void
  say: (line: string) => void
  signal: AbortSignal
  /** Shorter in tests. */
  lookMs?: number
}

export class TemporalKeeper {
  #options: KeeperOptions
  readonly #done = new AbortController()
  #lock: DataLock | undefined
  #server: DevServer | undefined
  #starting: Promise<unknown> | undefined

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** Resolves when the folder's server serves, whichever process keeps it. */
  async start(): Promise<TemporalPlace> {
    const holder = this.#tryLock()
    if (!holder) {
      const server = await this.#startServer()
      this.#stayAt(server)
      this.#keep(server)
      return server
    }
    this.#options.say(`using the Temporal server of process ${holder.heldBy ?? '?'}`)
    const address = await this.#addressOfOther()
    void this.#standBy()
    return address
  }

  /** Stops the server if this process keeps it. */
  async stop(): Promise<void> {
    this.#done.abort()
    await this.#starting?.catch(() => {})
    await this.#server?.stop()
    this.#lock?.release()
  }

  /** For the second Ctrl-C. */
  kill(): void {
    this.#server?.kill()
  }

  get #signal(): AbortSignal {
    return AbortSignal.any([this.#done.signal, this.#options.signal])
  }

  #tryLock(): { heldBy: number | undefined } | undefined {
    const lock = takeDataLock(this.#options.dataDir, 'temporal')
    if (!('release' in lock)) return lock
    this.#lock = lock
    this.#options.onKeep?.()
    return undefined
  }

  /** A lock that cannot be tested (disk failure) counts as held: it is tried again. */
  #isHeld(): boolean {
    try {
      return this.#tryLock() !== undefined
    } catch {
      return true
    }
  }

  async #startServer(): Promise<DevServer> {
    const { dataDir, codecEndpoint, port, uiPort, memoryMb, env, findBinary, say } = this.#options
    const starting = findBinary().then((binary) =>
      startDevServer({ binary, dataDir, codecEndpoint, port, uiPort, memoryMb, env, signal: this.#signal }),
    )
    this.#starting = starting
    this.#server = await starting
    say(
      `${this.#server.adopted ? 'took over the running' : 'started the'} Temporal server (process ${this.#server.pid})`,
    )
    void this.#watch(this.#server)
    return this.#server
  }

  /** Kills a hung server, so that it is restarted like one that died. Returns when it has exited. */
  async #watch(server: DevServer): Promise<void> {
    const { lookMs = LOOK_MS, say, signal } = this.#options
    const over = new AbortController()
    void server.ended.then(() => over.abort())
    const until = AbortSignal.any([over.signal, this.#done.signal, signal])
    for (let silent = 0; silent < SILENT_LOOKS;) {
      await sleep(lookMs, undefined, { signal: until }).catch(() => {})
      if (until.aborted) return
      silent = (await isServing(server.port)) ? 0 : silent + 1
    }
    if (until.aborted) return
    say(`the Temporal server (process ${server.pid}) does not answer; killing it`)
    server.kill()
  }

  /** The workers know one address, so a server that is started again must have the ports of the first. */
  #stayAt({ port, uiPort }: ServerPorts): void {
    this.#options = { ...this.#options, port, uiPort }
  }

  #keep(first: Running): void {
    const start = () => this.#startServer()
    void keepRunning({ name: 'the Temporal server', first, start, say: this.#options.say, signal: this.#signal })
  }

  async #addressOfOther(): Promise<TemporalPlace> {
    const deadline = Date.now() + OTHER_START_MS
    for (;;) {
      const ports = readServerState(serverFiles(this.#options.dataDir).state)
      if (ports && (await isServing(ports.port))) {
        this.#stayAt(ports)
        return { address: `127.0.0.1:${ports.port}`, uiUrl: uiUrlOf(ports.uiPort) }
      }
      if (Date.now() > deadline)
        throw new Error('Cannot reach the Temporal server that another process keeps: it does not start')
      await sleep(200, undefined, { signal: this.#signal })
    }
  }

  /** Waits for the keeper to exit, and then takes over. */
  async #standBy(): Promise<void> {
    while (!this.#signal.aborted) {
      await sleep(STAND_BY_MS, undefined, { signal: this.#signal }).catch(() => {})
      if (this.#signal.aborted || this.#isHeld()) continue
      this.#keep({ ended: Promise.resolve('the process that kept it ended') })
      return
    }
  }
}
