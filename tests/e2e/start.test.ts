// Starting and stopping the product as `npm start` runs it, over a Temporal server of its own or another's.
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest'
import { startChild } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { openStage, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

let stage: Stage
beforeEach(async () => {
  stage = await openStage({ withoutTemporal: true })
})
afterEach(() => stage.close())

async function serve(env: Record<string, string>) {
  const port = await freePort()
  const child = startChild({
    script: 'cli/muxi.mjs',
    args: ['serve'],
    env: { ...stage.env(), MUXI_PORT: String(port), ...env },
    cwd: stage.folder,
  })
  onTestFinished(() => child.kill())
  return child
}

it(keeps('start.fails', 'naming the address of a Temporal server that does not answer, in its last line'), async () => {
  const address = `127.0.0.1:${await freePort()}`
  const muxi = await serve({ TEMPORAL_ADDRESS: address })
  expect(await muxi.ended).toBe(1)
  expect(muxi.stderr().trim().split('\n').at(-1)).toMatch(
    new RegExp(`^Cannot reach Temporal at '${address}': .*leave TEMPORAL_ADDRESS out$`),
  )
  expect(stage.serverPids()).toEqual([])
})

it(keeps('start.fails', 'naming the setting that is wrong, with nothing started'), async () => {
  const muxi = await serve({ MUXI_ROLE: 'king' })
  expect(await muxi.ended).toBe(1)
  expect(muxi.output().trim()).toBe("Cannot start: 'MUXI_ROLE' must be one of 'all', 'api', 'worker', got 'king'")
})

it(keeps('start.namespace', 'makes it on the server of another, in each role'), async () => {
  await stage.startTemporal()
  for (const role of ['api', 'worker']) {
    const muxi = await serve({ MUXI_ROLE: role, TEMPORAL_NAMESPACE: `of-${role}` })
    await muxi.says(role === 'api' ? /chat\/stream/ : /muxi worker is ready/)
    expect(muxi.stderr()).toContain(`made namespace 'of-${role}'`)
    muxi.child.kill('SIGTERM')
    expect(await muxi.ended).toBe(0)
  }
})

it(keeps('start.ctrl-c', 'while the process that works is still starting, too'), async () => {
  const muxi = await serve({})
  await muxi.says(/started the Temporal server/)
  muxi.child.kill('SIGINT')
  expect(await muxi.ended).toBe(0)
  expect(stage.serverPids()).toEqual([])
})

it(keeps('start.small', 'without the worker, the database and the clients of Temporal and of models'), async () => {
  const product = await stage.startProduct({ port: await freePort() })
  expect(readFileSync(`/proc/${product.pid}/maps`, 'utf8')).not.toMatch(/node_modules\/.*\.node\b/)
  // Measured: 34 on Node while its compile cache is empty, then 15; with Temporal's client 68.
  expect(privateMiB(product.pid)).toBeLessThan(45)
  expect(await product.stop()).toBe(0)
})

/** What only this process has in memory. */
function privateMiB(pid: number): number {
  return Number(/^Private_Dirty:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) / 1024
}
