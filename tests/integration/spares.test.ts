// The spare: a child without an owner that is started ahead, becomes that of one owner, and ends when no file comes.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { endIdleChildren, expectOwner, withChild } from '../../media/process/child-pool.ts'
import type { ChildKind } from '../../media/process/child-kind.ts'
import { childrenOf } from '../support/process-memory.ts'
import { tempDir } from '../support/temp-dir.ts'

const IDLE_MS = 60_000
const LIMITS = { memory_mb: 512, time_ms: 30_000, output_bytes: 1e6 }
const { signal } = new AbortController()

interface Seen {
  pid: number
  /** Everything that it was asked. */
  asked: { of?: string; sample?: string }[]
}

/** A program that tells what it was asked, and appends what it has answered to a file; it takes some samples literally. */
const PROGRAM = `
const asked = []
const say = (message) => console.log(JSON.stringify(message))
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  asked.push(JSON.parse(line))
  if (line.includes('die')) process.exit(3)
  setTimeout(() => {
    require('node:fs').appendFileSync(process.argv[1], line + '\\n')
    say({ done: { pid: process.pid, asked } })
  }, line.includes('slow') ? 300 : 0)
}).on('close', () => process.exit(0))
say({ ready: true })`

const kindOf = (...samples: string[]): ChildKind => ({
  what: 'document',
  writes: false,
  most: 2,
  samples: samples.map((sample) => ({ sample })),
  command: () => [process.execPath, ['-e', PROGRAM, log]],
})

const read = (kind: ChildKind, owner: string) =>
  withChild(kind, { owner, memory_mb: 512 }, async (child) => {
    const seen = await child.ask<Seen>({ of: owner }, { signal, limits: LIMITS })
    // As after a document that is read as a whole.
    await child.end()
    return seen
  })
const running = () => childrenOf(process.pid).filter((pid) => !before.includes(pid))

/** What the programs of this test have answered. */
const answered = () =>
  readFileSync(log, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line): unknown => JSON.parse(line))

let before: number[] = []
let log = ''
beforeEach(() => {
  before = childrenOf(process.pid)
  log = join(tempDir(), 'answered')
  writeFileSync(log, '')
})
afterEach(async () => {
  await endIdleChildren()
  await expect.poll(running).toEqual([])
})

it.runIf(process.platform === 'linux')('a file is read by the spare, which has read the samples alone', async () => {
  const kind = kindOf('one', 'two')
  expect((await read(kind, 'anna')).asked).toEqual([{ of: 'anna' }])
  await expect.poll(answered).toEqual([{ of: 'anna' }, { sample: 'one' }, { sample: 'two' }])
  const [spare] = running()
  const { pid, asked } = await read(kind, 'ben')
  expect(pid).toBe(spare)
  expect(asked).toEqual([{ sample: 'one' }, { sample: 'two' }, { of: 'ben' }])
})

it('a program serves one owner only, however they come', async () => {
  const kind = kindOf('one')
  const seen = [
    ...(await Promise.all(['anna', 'ben', 'cleo', 'dora'].map((owner) => read(kind, owner)))),
    await read(kind, 'emil'),
    await read(kind, 'fred'),
  ]
  for (const { asked } of seen) expect(asked.filter(({ of }) => of !== undefined)).toHaveLength(1)
  expect(new Set(seen.map(({ pid }) => pid)).size).toBe(6)
})

it.runIf(process.platform === 'linux')('a kept child answers its owner, and the spare waits for another', async () => {
  const kind = kindOf('one')
  const kept = (owner: string) =>
    withChild(kind, { owner, memory_mb: 512 }, (child) => child.ask<Seen>({ of: owner }, { signal, limits: LIMITS }))
  const { pid } = await kept('anna')
  await expect.poll(running).toHaveLength(2)
  expect((await kept('anna')).pid).toBe(pid)
  expect(running()).toHaveLength(2)
  expect((await kept('ben')).pid).not.toBe(pid)
})

it.runIf(process.platform === 'linux')('a spare ends after a minute without a file', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const kind = kindOf('one')
  expectOwner(kind, 512)
  await vi.waitFor(() => expect(running()).toHaveLength(1), 20_000)
  vi.advanceTimersByTime(IDLE_MS - 1)
  // Expected once more: it waits as long again, and it is the same.
  const [spare] = running()
  expectOwner(kind, 512)
  vi.advanceTimersByTime(IDLE_MS - 1)
  expect(running()).toEqual([spare])
  vi.advanceTimersByTime(1)
  await expect.poll(running).toEqual([])
})

/** Samples that take six seconds together. */
const SLOW = 20

it.runIf(process.platform === 'linux')('a file does not wait for the samples that are left', async () => {
  const kind = kindOf(...Array.from({ length: SLOW }, () => 'slow'))
  expectOwner(kind, 512)
  expect((await read(kind, 'one that comes at once')).asked).toHaveLength(1)
  await expect.poll(() => answered().length).toBeGreaterThan(1)
  const { pid, asked } = await read(kind, 'anna')
  expect(before).not.toContain(pid)
  expect(asked.length).toBeLessThanOrEqual(SLOW)
  expect(asked.at(-1)).toEqual({ of: 'anna' })
})

it.runIf(process.platform === 'linux')('a spare that died of a sample is not used', async () => {
  const kind = kindOf('die')
  expectOwner(kind, 512)
  await expect.poll(running).toHaveLength(1)
  await expect.poll(running).toEqual([])
  expect((await read(kind, 'anna')).asked).toEqual([{ of: 'anna' }])
})

it.runIf(process.platform === 'linux')('a spare of other limits is not used', async () => {
  const kind = kindOf('one')
  expectOwner(kind, 256)
  await expect.poll(running).toHaveLength(1)
  const [small] = running()
  expect((await read(kind, 'anna')).pid).not.toBe(small)
})
