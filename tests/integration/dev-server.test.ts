// On a real Temporal dev server.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { connectOrThrow } from '../../temporal-config/connection.ts'
import { type DevServerOptions, serverFiles, startDevServer } from '../../temporal-config/dev-server.ts'
import { ensureNamespace } from '../../temporal-config/namespace.ts'
import {
  choosePorts,
  isClosedToBrowsers,
  listenError,
  PORTS_CLOSED_TO_BROWSERS,
} from '../../temporal-config/server-ports.ts'
import { findServers, isServerAlive } from '../../temporal-config/server-processes.ts'
import { writeServerState } from '../../temporal-config/server-state.ts'
import { freePort } from '../support/free-port.ts'
import { tempDir } from '../support/temp-dir.ts'
import { temporalBinary } from '../support/temporal-binary.ts'

let binary: string
beforeAll(async () => {
  binary = await temporalBinary()
})

/** With a port for the UI, because those that a server chooses by itself are few. */
async function options(more: Partial<DevServerOptions> = {}): Promise<DevServerOptions> {
  const codecEndpoint = 'http://127.0.0.1:5050/codec'
  return { binary, dataDir: tempDir(), codecEndpoint, uiPort: await freePort(), env: process.env, ...more }
}

async function start(given: DevServerOptions) {
  const server = await startDevServer(given)
  onTestFinished(() => server.stop())
  return server
}

it('serves on the ports that were asked for, and again on the same ones after a restart', async () => {
  const [port, uiPort] = [await freePort(), await freePort()]
  const { uiPort: chosen, ...given } = await options()
  const first = await start({ ...given, port, uiPort })
  expect(first).toMatchObject({ port, uiPort, address: `127.0.0.1:${port}`, adopted: false })
  await first.stop()
  const second = await start({ ...given, uiPort: chosen })
  expect(second).toMatchObject({ port, uiPort: chosen, adopted: false })
  await second.stop()
  const third = await start(given)
  // The port of the UI was asked for: by itself, only one that browsers refuse is taken.
  expect(third.port).toBe(port)
  expect(isClosedToBrowsers(third.uiPort)).toBe(true)
})

it('takes the ports of the last start where they are free', async () => {
  const port = await freePort()
  const kept: boolean[] = []
  // All servers of this machine share these few: another one may take a port, or try it, at any moment.
  for (let n = 0; kept.length < 30 && n < 300; n += 1) {
    const uiPort = PORTS_CLOSED_TO_BROWSERS[n % PORTS_CLOSED_TO_BROWSERS.length]!
    if (await listenError('127.0.0.1', uiPort)) continue
    const chosen = await choosePorts({}, { port, uiPort })
    expect(chosen.port).toBe(port)
    if (chosen.uiPort === uiPort || !(await listenError('127.0.0.1', uiPort))) kept.push(chosen.uiPort === uiPort)
  }
  expect(kept.length).toBe(30)
  expect(kept.filter(Boolean).length).toBeGreaterThan(24)
})

it('servers that are started at the same moment do not share a port', async () => {
  const last = { port: await freePort(), uiPort: await freePort() }
  const given = await Promise.all(Array.from({ length: 3 }, () => options()))
  // Each was last on the same port, so that all of them choose it.
  for (const { dataDir } of given) {
    mkdirSync(dirname(serverFiles(dataDir).state), { recursive: true })
    writeServerState(serverFiles(dataDir).state, { ...last, pid: 0, codecEndpoint: '' })
  }
  const servers = await Promise.all(given.map(start))
  expect(new Set(servers.map(({ port }) => port)).size).toBe(3)
  for (const [index, { pid }] of servers.entries())
    expect(isServerAlive(pid, serverFiles(given[index]!.dataDir).db)).toBe(true)
})

it('inherits only the environment variables that it needs', async () => {
  const planted = {
    OPENAI_API_KEY: 'sk-planted',
    MUXI_SECRET_KEY: 'planted',
    DATABASE_URL: 'planted',
    MY_TOKEN: 'planted',
  }
  const { pid } = await start(
    await options({ env: { ...process.env, ...planted, TEMPORAL_API_KEY: 'planted', TZ: 'UTC' } }),
  )
  const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
  expect(environment).toContain('TZ=UTC')
  expect(environment).toContain(`PATH=${process.env['PATH']}`)
  expect(environment.filter((line) => line.includes('planted'))).toEqual([])
})

it.each([
  [{}, '192MiB'],
  [{ memoryMb: 300 }, '300MiB'],
  [{ memoryMb: 300, env: { ...process.env, GOMEMLIMIT: '1GiB' } }, '1GiB'],
])('has a memory limit: with %j it is %s', async (given, limit) => {
  const { pid } = await start(await options(given))
  expect(readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')).toContain(`GOMEMLIMIT=${limit}`)
})

it('chooses other ports when those of the last start are in use', async () => {
  const given = await options()
  const first = await start({ ...given, port: await freePort() })
  await first.stop()
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(first.port, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  expect((await start(given)).port).not.toBe(first.port)
})

it('refuses a configured port that is in use, naming the setting', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  const { port } = other.address() as { port: number }
  await expect(startDevServer(await options({ port }))).rejects.toThrow(
    `Cannot start the Temporal server: port ${port} ('MUXI_TEMPORAL_PORT') must be free, got EADDRINUSE`,
  )
})

it('adopts a server that still serves on the same database file', async () => {
  const given = await options()
  const first = await start(given)
  const second = await start(given)
  expect(second).toMatchObject({ pid: first.pid, address: first.address, adopted: true })
  await second.stop()
  expect(await first.ended).toBe('exit code 0')
})

it('adopts a server unchanged when it has no codec endpoint to set', async () => {
  const given = await options({ codecEndpoint: 'http://127.0.0.1:6060/codec' })
  const first = await start(given)
  expect(await start({ ...given, codecEndpoint: undefined })).toMatchObject({ pid: first.pid, adopted: true })
})

it('stops an orphan with other arguments, and starts a new server', async () => {
  const given = await options()
  const first = await start(given)
  const second = await start({ ...given, codecEndpoint: 'http://127.0.0.1:6060/codec' })
  expect(second.adopted).toBe(false)
  expect(second.pid).not.toBe(first.pid)
  await first.ended
})

it('starts again on the database of a server that was killed', async () => {
  const given = await options()
  const first = await start(given)
  first.kill()
  expect(await first.ended).toBe('SIGKILL')
  const connection = await connectOrThrow(await start(given), { patience_ms: 0 })
  await connection.close()
})

it('leaves no process behind when it is stopped during its start', async () => {
  // A program that never serves: the real one may serve within this time.
  const stuck = join(tempDir(), 'temporal')
  writeFileSync(stuck, `#!${process.execPath}\nsetInterval(() => {}, 1_000)\n`, { mode: 0o700 })
  const stopping = new AbortController()
  const given = await options({ binary: stuck, signal: stopping.signal })
  const servers = () => findServers(`${given.dataDir}/temporal/temporal.db`)
  const starting = startDevServer(given)
  await expect.poll(() => servers().length).toBe(1)
  stopping.abort()
  await expect(starting).rejects.toThrow()
  expect(servers()).toEqual([])
})

it('makes a namespace with retention and search attributes once, and changes nothing the second time', async () => {
  const connection = await connectOrThrow(await start(await options()), { patience_ms: 0 })
  onTestFinished(() => connection.close())
  const wanted = { namespace: 'elsewhere', history_days: 30 }
  expect(await ensureNamespace(connection, wanted)).toEqual([
    "made namespace 'elsewhere'",
    'added the search attributes MuxiKind, MuxiAgent, MuxiConversation, MuxiUser',
  ])
  expect(await ensureNamespace(connection, wanted)).toEqual([])
  expect(await ensureNamespace(connection, { namespace: 'default', history_days: 30 })).toEqual([
    "set the retention of namespace 'default' to 30 days",
  ])
  expect(await ensureNamespace(connection, { ...wanted, history_days: 7 })).toEqual([
    "set the retention of namespace 'elsewhere' to 7 days",
  ])
})

it('says in one line that an address does not answer', async () => {
  const port = await freePort()
  await expect(connectOrThrow({ address: `127.0.0.1:${port}` }, { patience_ms: 0 })).rejects.toThrow(
    `Cannot reach Temporal at '127.0.0.1:${port}'`,
  )
})
