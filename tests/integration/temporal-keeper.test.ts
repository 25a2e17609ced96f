// The keeper over a real Temporal server that hangs: it lives, takes connections, and answers nothing.
import { beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { TemporalKeeper } from '../../cli/temporal-keeper.ts'
import { connectOrThrow } from '../../temporal-config/connection.ts'
import { serverFiles } from '../../temporal-config/dev-server.ts'
import { findServers } from '../../temporal-config/server-processes.ts'
import { freePort } from '../support/free-port.ts'
import { tempDir } from '../support/temp-dir.ts'
import { temporalBinary } from '../support/temporal-binary.ts'

beforeAll(async () => {
  await temporalBinary()
})

it('kills a server that hangs, and starts it again at the same address', async () => {
  const dataDir = tempDir()
  const said: string[] = []
  const keeper = new TemporalKeeper({
    dataDir,
    env: process.env,
    findBinary: temporalBinary,
    say: (line) => said.push(line),
    signal: new AbortController().signal,
    lookMs: 100,
    // Not the default ones, which another test's server may take while this one is down.
    port: await freePort(),
    uiPort: await freePort(),
  })
  onTestFinished(() => keeper.stop())
  const { address } = await keeper.start()
  const pids = () => findServers(serverFiles(dataDir).db).map(({ pid }) => pid)
  const [first] = pids()
  process.kill(first!, 'SIGSTOP')
  await vi.waitFor(() => expect(said).toHaveLength(4), { timeout: 50_000, interval: 50 })
  expect(said.slice(1, 3)).toEqual([
    `the Temporal server (process ${first}) does not answer; killing it`,
    'the Temporal server ended (SIGKILL); starting it again in 0.2 s',
  ])
  expect(said[3]).toMatch(/^started the Temporal server/)
  expect(pids()).not.toContain(first)
  const connection = await connectOrThrow({ address }, { patience_ms: 5_000 })
  await connection.close()
})
