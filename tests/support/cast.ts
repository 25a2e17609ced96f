// The processes of a stage under names, each of which may be killed or stopped, and is started again as a supervisor would.
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import type { Strike } from './nemesis.ts'
import type { Muxi, Stage } from './stage.ts'

const START_MS = 90_000

interface Victim {
  kill(): Promise<void>
  /** Resolves when it serves again. */
  restart(): Promise<void>
  pause(): void
  resume(): void
}

interface CastOptions {
  apis: number
  workers: number
  /** Processes that are both. */
  alls?: number
}

export class Cast {
  /** Where the API processes listen, whether they run or not. */
  readonly urls: string[] = []
  /** Processes that ended without being killed. */
  readonly lost: string[] = []
  readonly #victims = new Map<string, Victim>()
  readonly #strikes = new Map<string, Promise<void>>()
  readonly #over = new AbortController()

  /** Starts so many processes of each role; Temporal and Postgres are the stage's own. */
  static async start(stage: Stage, { apis, workers, alls = 0 }: CastOptions): Promise<Cast> {
    const cast = new Cast()
    cast.#victims.set('temporal', {
      async kill() {
        stage.temporal!.kill()
        await stage.temporal!.ended
      },
      restart: () => stage.restartTemporal(),
      pause: () => void process.kill(stage.temporal!.pid, 'SIGSTOP'),
      resume: () => void process.kill(stage.temporal!.pid, 'SIGCONT'),
    })
    const { postgres } = stage
    if (postgres) cast.#victims.set('postgres', postgres)
    for (const [role, count] of [
      ['api', apis],
      ['all', alls],
    ] as const) {
      for (let n = 1; n <= count; n += 1) {
        const port = await freePort()
        cast.urls.push(`http://127.0.0.1:${port}`)
        await cast.#enter(`${role} ${n}`, () => stage.start(role, { port }))
      }
    }
    for (let n = 1; n <= workers; n += 1) await cast.#enter(`worker ${n}`, () => stage.start('worker'))
    return cast
  }

  /** Has something befall a victim, after whatever befell it before. @returns a promise of its return */
  strike({ victim, how, away_ms }: Omit<Strike, 'at_ms'>): Promise<void> {
    const struck = (this.#strikes.get(victim) ?? Promise.resolve()).then(async () => {
      if (this.#over.signal.aborted) return
      const it = this.#victims.get(victim)
      if (!it) throw new Error(`there is no '${victim}'`)
      if (how === 'stop') {
        it.pause()
        await sleep(away_ms).finally(() => it.resume())
      } else {
        await it.kill()
        await sleep(away_ms)
        await it.restart()
      }
    })
    // A test that has failed meanwhile does not wait for restarts.
    struck.catch(() => undefined)
    this.#strikes.set(victim, struck)
    return struck
  }

  /** From here on no process is restarted. */
  leave(): void {
    this.#over.abort()
  }

  async #enter(name: string, start: () => Promise<Muxi>): Promise<void> {
    let muxi: Muxi
    let meant = false
    const enter = async () => {
      muxi = await untilStarted(start, this.#over.signal)
      meant = false
      void muxi.ended.then((how) => {
        if (meant || this.#over.signal.aborted) return undefined
        this.lost.push(`${name} (${how}): ${muxi.stderr().slice(-2_000)}`)
        return enter()
      })
    }
    await enter()
    this.#victims.set(name, {
      async kill() {
        meant = true
        await muxi.kill()
      },
      restart: enter,
      pause: () => muxi.signal('SIGSTOP'),
      resume: () => muxi.signal('SIGCONT'),
    })
  }
}

/** A process that starts while the database or Temporal is away ends and says so; it is tried again. */
async function untilStarted(start: () => Promise<Muxi>, signal: AbortSignal): Promise<Muxi> {
  const deadline = Date.now() + START_MS
  for (;;) {
    try {
      return await start()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await sleep(500, undefined, { signal })
    }
  }
}
