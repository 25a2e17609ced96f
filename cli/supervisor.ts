// Starts the processes in order, restarts those that die, and stops them in order.
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Settings } from '../config/settings.ts'
import { getServerBinaryOrThrow } from '../temporal-config/server-binary.ts'
import { announcement } from './announcement.ts'
import { type AppProcess, startApp } from './app-process.ts'
import { checkPortOrThrow } from './check-port.ts'
import { type DataLock, takeDataLockOrThrow } from './data-lock.ts'
import { keepRunning } from './keep-running.ts'
import { LineWriter, surviveWriteErrors } from './line-writer.ts'
import { closeDataFolder, makeFilesPrivate } from './private-files.ts'
import { runtimeCommand } from './runtime-command.ts'
import { onStopSignals } from './stop-signals.ts'
import { TemporalKeeper } from './temporal-keeper.ts'
import type { TemporalPlace } from './temporal-place.ts'

export interface SuperviseOptions {
  settings: Settings
  env: Record<string, string | undefined>
  /** Replaced only in tests. */
  appScript?: string
}

/** Runs until a signal says stop; throws when it cannot start. Leaves no process behind either way. */
export async function supervise({ settings, env, appScript }: SuperviseOptions): Promise<void> {
  await new Supervisor(settings, env, appScript ?? fileURLToPath(new URL('process.ts', import.meta.url))).run()
}

class Supervisor {
  readonly #settings: Settings
  readonly #env: SuperviseOptions['env']
  readonly #script: string
  readonly #stopping = new AbortController()
  #lock: DataLock | undefined
  #keeper: TemporalKeeper | undefined
  #app: AppProcess | undefined

  constructor(settings: Settings, env: SuperviseOptions['env'], script: string) {
    this.#settings = settings
    this.#env = env
    this.#script = script
  }

  async run(): Promise<void> {
    surviveWriteErrors()
    makeFilesPrivate()
    onStopSignals({
      first: (name) => {
        say(`stopping (${name}); once more stops at once`)
        this.#stopping.abort()
      },
      second: () => {
        this.#app?.kill()
        this.#keeper?.kill()
        process.exit(130)
      },
    })
    try {
      await this.#serve()
    } catch (error) {
      if (!this.#stopping.signal.aborted) throw error
    } finally {
      this.#stopping.abort()
      await this.#app?.stop()
      await this.#keeper?.stop()
      this.#lock?.release()
    }
    say('stopped')
  }

  async #serve(): Promise<void> {
    const { data_dir, role, host, port } = this.#settings
    const signal = this.#stopping.signal
    mkdirSync(data_dir, { recursive: true, mode: 0o700 })
    const open = closeDataFolder(data_dir)
    if (open.length > 0)
      say(`cannot take the rights of other users from ${open.slice(0, 3).join(', ')}: they belong to another user`)
    if (role !== 'worker') {
      this.#lock = takeDataLockOrThrow(data_dir, 'api')
      await checkPortOrThrow(host, port, signal)
    }
    const temporal = this.#temporal()
    // The process loads its modules and opens the database while the Temporal server starts.
    const first = this.#startApp(temporal)
    const [ready, place] = await Promise.all([first.ready, temporal])
    print(announcement(ready, place?.uiUrl ?? this.#settings.temporal.ui_url))
    const start = async () => {
      const app = this.#startApp(temporal)
      void app.ready.then(
        () => say('muxi serves again'),
        () => {},
      )
      return app
    }
    await keepRunning({ name: 'the muxi process', first, start, say, signal })
  }

  #startApp(temporal: Promise<TemporalPlace> | undefined): AppProcess {
    const { role } = this.#settings
    const env = { ...this.#env, MUXI_ROLE: role }
    this.#app = startApp({ script: this.#script, role, env, temporal, output: print })
    return this.#app
  }

  /** muxi's own server, started or adopted; undefined when the settings name an external one. */
  #temporal(): Promise<TemporalPlace> | undefined {
    const { temporal, data_dir, role } = this.#settings
    if (temporal.address) {
      say(`connecting to Temporal at ${temporal.address}`)
      return undefined
    }
    const signal = this.#stopping.signal
    const binary = { dataDir: data_dir, env: this.#env, say, scriptCommand: runtimeCommand, signal }
    this.#keeper = new TemporalKeeper({
      dataDir: data_dir,
      codecEndpoint: role === 'worker' ? undefined : codecEndpoint(this.#settings),
      port: temporal.port,
      uiPort: temporal.ui_port,
      memoryMb: temporal.memory_mb,
      env: this.#env,
      findBinary: () => getServerBinaryOrThrow(binary),
      say,
      signal,
    })
    return this.#keeper.start()
  }
}

/** The URL of the codec endpoint for a browser on this machine. */
function codecEndpoint({ host, port, edge }: Settings): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http${edge.tls ? 's' : ''}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}/codec`
}

const output = new LineWriter(1, {
  notice: (dropped) => `muxi: ${dropped} lines could not be written here and are lost`,
})

function print(text: string): void {
  output.write(`${text}\n`)
}

function say(line: string): void {
  print(`muxi: ${line}`)
}
