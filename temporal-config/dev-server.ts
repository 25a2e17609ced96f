// The Temporal dev server on a database file of ours: start it, or adopt the one that outlived its supervisor, and stop it.
import { spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync, readSync, renameSync, statSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { untilServing } from './health.ts'
import { portsOf, serverArguments, uiUrlOf } from './server-arguments.ts'
import { endOfOther, signalServer, stopServer } from './server-end.ts'
import { choosePorts, isClosedToBrowsers } from './server-ports.ts'
import { findServers, findServersOn } from './server-processes.ts'
import { readServerState, type ServerPorts, writeServerState } from './server-state.ts'

const START_MS = 60_000
const ADOPT_MS = 10_000
/** A server that finds its port in use exits within a second; one in a container, on a port of its own, does not. */
const CONFLICT_MS = 5_000
const CONFLICT_PAUSE_MS = 50
const LOG_LIMIT = 10_000_000
/** Bytes of the log that are read after a failed start, and characters of it that are reported. */
const TAIL_BYTES = 8_192
const WORDS_CHARACTERS = 500
/** Infrequent garbage collection below the memory limit: a sixth less server CPU time per turn (measured). */
const GOGC = '400'
/** Twice what the server needs when its caches are full, in MiB; measured in docs/benchmarks.md, "Memory". */
export const DEFAULT_MEMORY_MB = 192

/** Variables for programs, files and time zones, and the settings of the Go runtime. */
const INHERITED = 'PATH HOME USER LOGNAME TMPDIR TZ LANG LC_ALL GOGC GOMEMLIMIT GOMAXPROCS GODEBUG'.split(' ')

export interface DevServerOptions {
  binary: string
  dataDir: string
  /** Omitted by a process without an API: the endpoint of the last start is kept. */
  codecEndpoint?: string | undefined
  /** Required when given; otherwise the ports of the last start, Temporal's defaults, or free ones. */
  port?: number | undefined
  uiPort?: number | undefined
  /** Soft limit of its memory in MiB: near it, garbage is collected more often. GOMEMLIMIT in `env` takes precedence. */
  memoryMb?: number | undefined
  env: Record<string, string | undefined>
  signal?: AbortSignal | undefined
}

export interface DevServer extends ServerPorts {
  pid: number
  address: string
  uiUrl: string
  adopted: boolean
  /** Resolves when the process has exited, with a description of its end. */
  ended: Promise<string>
  stop(): Promise<void>
  kill(): void
}

/** The files of the server in a data folder. */
export function serverFiles(dataDir: string) {
  const folder = join(dataDir, 'temporal')
  return {
    folder,
    db: join(folder, 'temporal.db'),
    log: join(folder, 'server.log'),
    state: join(folder, 'server.json'),
  }
}

/** Returns a serving server. Only one process per data folder may call it: `cli/data-lock.ts` ensures that. */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const files = serverFiles(options.dataDir)
  await mkdir(files.folder, { recursive: true, mode: 0o700 })
  const orphan = await adoptOrphan(options)
  if (orphan) return orphan
  for (let attempt = 1; ; attempt++) {
    const ports = await choosePorts(options, readServerState(files.state))
    const server = spawnServer(options, ports)
    const ended = server.ended.then((how) => {
      const why = lastWords(files.log)
      return Promise.reject(new Error(`it ended (${how}): ${why} (database file ${files.db}, log ${files.log})`))
    })
    ended.catch(() => {})
    try {
      writeServerState(files.state, { ...server, codecEndpoint: codecEndpointOf(options) })
      await Promise.race([untilServing(ports.port, { patience_ms: START_MS, signal: options.signal }), ended])
      await Promise.race([untilAlone(server, options.signal), ended])
      options.signal?.throwIfAborted()
      return server
    } catch (cause) {
      await server.stop()
      options.signal?.throwIfAborted()
      // Two copies that start at once may choose the same free port: the server of the slower one exits, and it chooses
      // again.
      if (attempt === 3) throw new Error(`Cannot start the Temporal server: ${(cause as Error).message}`, { cause })
    }
  }
}

/** Waits until servers that chose the same port have exited: the one that serves on it may be one of them, and not ours. */
async function untilAlone({ port, pid }: DevServer, signal: AbortSignal | undefined): Promise<void> {
  const deadline = performance.now() + CONFLICT_MS
  while (findServersOn(port).some((other) => other.pid !== pid) && performance.now() < deadline) {
    signal?.throwIfAborted()
    await sleep(CONFLICT_PAUSE_MS)
  }
}

/** Adopts the server left by a crash, if it serves and has the same arguments and environment; any other one is stopped. */
async function adoptOrphan(options: DevServerOptions): Promise<DevServer | undefined> {
  const { db, state } = serverFiles(options.dataDir)
  const [orphan, ...others] = findServers(db)
  if (!orphan) return undefined
  const ports = portsOf(orphan.commandLine)
  if (ports && others.length === 0) {
    const server = { ...handle(ports, orphan.pid, endOfOther(orphan.pid, db), db), adopted: true }
    const same = orphan.commandLine.trimEnd().endsWith(argumentsOf(options, ports).join(' '))
    const uiFits = options.uiPort === undefined ? isClosedToBrowsers(ports.uiPort) : options.uiPort === ports.uiPort
    const wanted = (options.port ?? ports.port) === ports.port && uiFits
    if (
      same &&
      wanted &&
      (await untilServing(ports.port, { patience_ms: ADOPT_MS, signal: options.signal }).then(
        () => true,
        () => false,
      ))
    ) {
      writeServerState(state, { ...server, codecEndpoint: codecEndpointOf(options) })
      return server
    }
  }
  options.signal?.throwIfAborted()
  for (const { pid } of [orphan, ...others]) await stopServer(pid, endOfOther(pid, db), db)
  return undefined
}

function spawnServer(options: DevServerOptions, ports: ServerPorts): DevServer {
  const { db, log } = serverFiles(options.dataDir)
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > LOG_LIMIT) renameSync(log, `${log}.1`)
  // Logs to a file, because writing to the pipe of a dead supervisor would end the server.
  const output = openSync(log, 'a', 0o600)
  const child = spawn(options.binary, argumentsOf(options, ports), {
    // In its own process group, so that Ctrl-C reaches only the supervisor, which stops the processes in order.
    detached: true,
    stdio: ['ignore', output, output],
    env: serverEnvironment(options),
  })
  closeSync(output)
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  return { ...handle(ports, child.pid ?? 0, ended, db), adopted: false }
}

/** The message of the last line in the server's log. */
function lastWords(log: string): string {
  const line = tailOf(log).trimEnd().split('\n').at(-1) ?? ''
  const message = / msg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1]?.replaceAll('\\"', '"')
  return (message ?? line).slice(0, WORDS_CHARACTERS)
}

function tailOf(file: string): string {
  try {
    const opened = openSync(file, 'r')
    try {
      const { size } = fstatSync(opened)
      const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES))
      readSync(opened, bytes, 0, bytes.length, size - bytes.length)
      return bytes.toString()
    } finally {
      closeSync(opened)
    }
  } catch {
    return ''
  }
}

/** The environment of the server: without credentials and muxi's settings. */
function serverEnvironment({ env, memoryMb = DEFAULT_MEMORY_MB }: DevServerOptions): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []))
  return { GOGC, GOMEMLIMIT: `${memoryMb}MiB`, ...Object.fromEntries(inherited) }
}

function argumentsOf(options: DevServerOptions, ports: ServerPorts): string[] {
  return serverArguments({ dbFile: serverFiles(options.dataDir).db, codecEndpoint: codecEndpointOf(options), ...ports })
}

function codecEndpointOf({ dataDir, codecEndpoint }: DevServerOptions): string {
  return codecEndpoint ?? readServerState(serverFiles(dataDir).state)?.codecEndpoint ?? 'http://127.0.0.1:5050/codec'
}

function handle(ports: ServerPorts, pid: number, ended: Promise<string>, db: string) {
  return {
    ...ports,
    pid,
    ended,
    address: `127.0.0.1:${ports.port}`,
    uiUrl: uiUrlOf(ports.uiPort),
    stop: () => stopServer(pid, ended, db),
    kill: () => signalServer(pid, 'SIGKILL', db),
  }
}
