// The supervisor as a process, over a real Temporal server and a stand-in for the app.
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { findServers } from '../../temporal-config/server-processes.ts'
import { type Child, startChild } from '../support/children.ts'
import { freePort, temporalPorts } from '../support/free-port.ts'
import { tempDir } from '../support/temp-dir.ts'
import { temporalBinary } from '../support/temporal-binary.ts'

beforeAll(async () => {
  await temporalBinary()
})

async function place() {
  const dir = tempDir()
  const port = await freePort()
  const env = {
    MUXI_DATA_DIR: join(dir, 'data'),
    MUXI_PORT: String(port),
    MUXI_AGENTS_DIR: dir,
    MUXI_ROLE: 'all',
    ...(await temporalPorts()),
  }
  const servers = () => findServers(join(env.MUXI_DATA_DIR, 'temporal', 'temporal.db')).map(({ pid }) => pid)
  onTestFinished(() => {
    for (const pid of servers()) process.kill(pid, 'SIGKILL')
  })
  const app = async () => (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as { pid: number; temporal: string }
  return { env, port, servers, app }
}

function serve(env: { MUXI_AGENTS_DIR: string; [name: string]: string }): Child {
  const child = startChild({ script: 'tests/support/supervise.ts', env, cwd: env.MUXI_AGENTS_DIR })
  onTestFinished(() => child.kill())
  return child
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

it('prints the addresses and the key, and leaves no process behind after SIGTERM', async () => {
  const { env, port, servers, app } = await place()
  const muxi = serve(env)
  await muxi.says(/chat\/stream/)
  expect(muxi.output()).toContain(`Web page     http://127.0.0.1:${port}/`)
  expect(muxi.output()).toContain('API key      key-of-the-test')
  expect(muxi.output()).toMatch(/Temporal UI {2}http:\/\/127\.0\.0\.1:\d+/)
  const { pid } = await app()
  muxi.child.kill('SIGTERM')
  expect(await muxi.ended).toBe(0)
  expect(muxi.output()).toContain('draining SIGTERM')
  expect(servers()).toEqual([])
  expect(isAlive(pid)).toBe(false)
})

it('starts the app again when it dies, and says so', async () => {
  const { env, app } = await place()
  const muxi = serve(env)
  await muxi.says(/chat\/stream/)
  const { pid } = await app()
  process.kill(pid, 'SIGKILL')
  await muxi.says(/the muxi process ended \(SIGKILL\); starting it again/)
  await muxi.says(/muxi serves again/)
  expect((await app()).pid).not.toBe(pid)
})

it('restarts the Temporal server at the same address when it dies, without restarting the app', async () => {
  const { env, app, servers } = await place()
  const muxi = serve(env)
  await muxi.says(/chat\/stream/)
  const before = await app()
  const [server = 0] = servers()
  const from = muxi.stdout().length
  process.kill(server, 'SIGKILL')
  await muxi.says(/the Temporal server ended \(SIGKILL\); starting it again/, { from })
  await muxi.says(/started the Temporal server/, { from })
  expect(await app()).toEqual(before)
})

it('refuses a second start on the same data folder in one line that names the pid', async () => {
  const { env } = await place()
  const muxi = serve(env)
  await muxi.says(/chat\/stream/)
  const second = serve({ ...env, MUXI_PORT: String(await freePort()) })
  expect(await second.ended).toBe(1)
  expect(second.output().trim().split('\n')).toHaveLength(1)
  expect(second.output()).toContain(`got process ${muxi.pid} using it`)
})

it('refuses a port in use in one line', async () => {
  const { env, port } = await place()
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  const muxi = serve(env)
  expect(await muxi.ended).toBe(1)
  expect(muxi.output().trim()).toBe(
    `Cannot start: port ${port} of 127.0.0.1 ('MUXI_PORT') must be free, got EADDRINUSE`,
  )
})

it('says that the app cannot start, and stops what it had started', async () => {
  const { env, servers } = await place()
  const muxi = serve({ ...env, FAKE_APP: 'broken' })
  expect(await muxi.ended).toBe(1)
  expect(muxi.output()).toContain('Cannot start muxi: it ended before it was ready (exit code 3)')
  expect(servers()).toEqual([])
})

it('goes on after kill -9 of the supervisor: the app drains by itself, the Temporal server is adopted', async () => {
  const { env, app, servers } = await place()
  const first = serve(env)
  await first.says(/chat\/stream/)
  const { pid } = await app()
  const [server] = servers()
  first.child.kill('SIGKILL')
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 20_000)
  const second = serve(env)
  await second.says(/took over the running Temporal server/)
  await second.says(/chat\/stream/)
  expect(servers()).toEqual([server])
})

it('starts again after kill -9 of everything', async () => {
  const { env, app, servers } = await place()
  const first = serve(env)
  await first.says(/chat\/stream/)
  const { pid } = await app()
  for (const one of [first.pid, pid, ...servers()]) process.kill(one, 'SIGKILL')
  await first.ended
  const second = serve(env)
  await second.says(/chat\/stream/)
  expect((await app()).pid).not.toBe(pid)
})

it('runs roles api and worker as two processes over one data folder and one Temporal server', async () => {
  const { env, app, servers } = await place()
  const api = serve({ ...env, MUXI_ROLE: 'api' })
  await api.says(/chat\/stream/)
  const worker = serve({ ...env, MUXI_ROLE: 'worker' })
  await worker.says(/muxi worker is ready/)
  expect(worker.output()).toContain(`using the Temporal server of process ${api.pid}`)
  const before = servers()
  expect(before).toHaveLength(1)
  // The worker's supervisor stands by: it keeps the server running when the previous keeper has exited.
  process.kill((await app()).pid, 'SIGKILL')
  api.child.kill('SIGKILL')
  await worker.says(/took over the running Temporal server/)
  expect(servers()).toEqual(before)
  worker.child.kill('SIGTERM')
  expect(await worker.ended).toBe(0)
  expect(servers()).toEqual([])
})

it('ends at once on a second Ctrl-C, but takes two signals in a row for one', async () => {
  const { env, servers } = await place()
  const muxi = serve(env)
  await muxi.says(/started the Temporal server/)
  muxi.child.kill('SIGINT')
  muxi.child.kill('SIGINT')
  // Only the time between them tells one from another.
  await sleep(600)
  muxi.child.kill('SIGINT')
  expect([0, 130]).toContain(await muxi.ended)
  await vi.waitFor(() => expect(servers()).toEqual([]), 20_000)
})

it('starts no server of its own when TEMPORAL_ADDRESS names one', async () => {
  const { env, app, servers } = await place()
  const muxi = serve({ ...env, TEMPORAL_ADDRESS: `127.0.0.1:${await freePort()}` })
  await muxi.says(/chat\/stream/)
  expect((await app()).temporal).toBe('from the settings')
  expect(servers()).toEqual([])
  muxi.child.kill('SIGTERM')
  expect(await muxi.ended).toBe(0)
})

it("exits with the app's error message", async () => {
  const { env, servers } = await place()
  const muxi = serve({ ...env, FAKE_APP: 'failed' })
  expect(await muxi.ended).toBe(1)
  expect(muxi.stderr().trim()).toBe('Cannot do this: that is missing')
  expect(servers()).toEqual([])
})

it('stops an app that waits for a server which cannot start', async () => {
  const { env } = await place()
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  const { port } = other.address() as { port: number }
  const muxi = serve({ ...env, MUXI_TEMPORAL_PORT: String(port) })
  expect(await muxi.ended).toBe(1)
  expect(muxi.stderr().trim()).toBe(
    `Cannot start the Temporal server: port ${port} ('MUXI_TEMPORAL_PORT') must be free, got EADDRINUSE`,
  )
})
