// The processes of one peer in one run: where they keep their data, how they start, end and are killed, and what they use.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cleanEnvironment, killWithUs } from '../../support/children.ts'
import { freePort } from '../../support/free-port.ts'
import { type PostgresServer, startPostgres } from '../../support/postgres.ts'
import { cpuSeconds, memoryMiB, treeOf } from './usage.ts'

const START_MS = 90_000
const STOP_MS = 15_000
const POLL_MS = 50

export interface Program {
  file: string
  args: string[]
  env?: Record<string, string>
  /** Answers when the program is ready. */
  url: string
  /** Whether this is a store beside the application, such as a database server. */
  store?: boolean
}

export class Host {
  /** Removed at the end; kept across `kill` and another start. */
  readonly folder: string
  readonly modelUrl: string
  readonly #ports = new Map<string, number>()
  #running: { child: ChildProcess; pid: number; store: boolean }[] = []
  #postgres: { server: PostgresServer; url: string } | undefined

  constructor(peer: string, modelUrl: string) {
    this.folder = mkdtempSync(join(tmpdir(), `muxi-peer-${peer}-`))
    this.modelUrl = modelUrl
  }

  /** A free port under a name; the same one when the peer starts again. */
  async port(name: string): Promise<number> {
    const port = this.#ports.get(name) ?? (await freePort())
    this.#ports.set(name, port)
    return port
  }

  /** Starts a program and waits until it answers. @throws with the end of its output when it does not */
  async launch({ file, args, env = {}, url, store = false }: Program): Promise<void> {
    const log = join(this.folder, 'log')
    const output = openSync(log, 'a')
    const child = spawn(file, args, {
      cwd: this.folder,
      detached: true,
      stdio: ['pipe', output, output],
      env: {
        ...cleanEnvironment(),
        NODE_ENV: 'production',
        DO_NOT_TRACK: '1',
        SCARF_ANALYTICS: 'false',
        MODEL_URL: `${this.modelUrl}/v1`,
        ...env,
      },
    })
    closeSync(output)
    const failed = new Promise<Error>((resolve) => child.on('error', resolve))
    if (child.pid === undefined) throw await failed
    const letLive = killWithUs(child.pid)
    let ended = false
    child.on('exit', () => {
      ended = true
      letLive()
    })
    this.#running.push({ child, pid: child.pid, store })
    const deadline = Date.now() + START_MS
    while (!(await answers(url))) {
      if (ended || Date.now() > deadline) {
        throw new Error(
          `${ended ? 'ended at its start' : 'did not answer'}:\n${readFileSync(log, 'utf8').slice(-2_000)}`,
        )
      }
      await sleep(POLL_MS)
    }
  }

  /** A Postgres server with its default durability. @returns the address of its database, which outlives `kill` */
  async postgres(): Promise<string> {
    if (this.#postgres) {
      await this.#postgres.server.restart()
    } else {
      const server = await startPostgres({ durable: true })
      this.#postgres = { server, url: '' }
      this.#postgres.url = await server.createDatabase()
    }
    return this.#postgres.url
  }

  /** Of all processes, stores too, in seconds. */
  cpu(): number {
    return cpuSeconds([...this.#pids(false), ...this.#pids(true)])
  }

  /** Resident memory of the application, and the share of memory of the stores beside it, in MiB. */
  memory(): { app: number; store: number } {
    return { app: memoryMiB(this.#pids(false), 'Rss'), store: memoryMiB(this.#pids(true), 'Pss') }
  }

  /** Ends everything at once with -9. */
  async kill(): Promise<void> {
    const pids = treeOf(this.#running.map(({ pid }) => pid))
    signalAll(pids, 'SIGKILL')
    await this.#postgres?.server.kill()
    await ended(pids, STOP_MS)
    this.#running = []
  }

  /** Ends everything in order, stores last, and removes the folder. */
  async close(): Promise<void> {
    for (const { pid, store } of this.#running.toSorted((a, b) => Number(a.store) - Number(b.store))) {
      const pids = treeOf([pid])
      // A store may have been started by a wrapper that passes no signals on.
      signalAll(store ? pids : [pid], 'SIGTERM')
      signalAll(await ended(pids, STOP_MS), 'SIGKILL')
    }
    this.#running = []
    await this.#postgres?.server.stop()
    this.#postgres = undefined
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #pids(store: boolean): number[] {
    const pids = this.#running.filter((each) => each.store === store).map(({ pid }) => pid)
    return store && this.#postgres ? [...pids, this.#postgres.server.pid()] : pids
  }
}

function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    async (response) => {
      await response.body?.cancel()
      // A peer without such a route answers 404; one that is still starting answers 503.
      return response.status < 500
    },
    () => false,
  )
}

function signalAll(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch {
      // it has ended
    }
  }
}

/** Waits for the end of processes. @returns those that still run after `ms` */
async function ended(pids: readonly number[], ms: number): Promise<number[]> {
  const deadline = Date.now() + ms
  for (;;) {
    const left = pids.filter((pid) => treeOf([pid]).length > 0)
    if (left.length === 0 || Date.now() > deadline) return left
    await sleep(POLL_MS)
  }
}
