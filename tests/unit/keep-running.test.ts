import { expect, it, vi } from 'vitest'
import { keepRunning } from '../../cli/keep-running.ts'

const ended = (how: string) => ({ ended: Promise.resolve(how) })
const running = { ended: new Promise<string>(() => {}) }

it('restarts what ended, with a line that gives the reason and exponential backoff', async () => {
  const stop = new AbortController()
  const lines: string[] = []
  const start = vi.fn(async () => {
    if (start.mock.calls.length < 3) return ended('SIGKILL')
    queueMicrotask(() => stop.abort())
    return running
  })
  const say = (line: string) => lines.push(line)
  await keepRunning({ name: 'it', first: ended('exit code 1'), start, say, signal: stop.signal, firstPauseMs: 10 })
  expect(lines).toEqual([
    'it ended (exit code 1); starting it again in 0.01 s',
    'it ended (SIGKILL); starting it again in 0.02 s',
    'it ended (SIGKILL); starting it again in 0.04 s',
  ])
})

it('retries when a start fails, and logs the reason', async () => {
  const stop = new AbortController()
  const lines: string[] = []
  const start = vi.fn(async () => {
    if (start.mock.calls.length === 1) throw new Error('no room')
    stop.abort()
    return running
  })
  const say = (line: string) => lines.push(line)
  await keepRunning({ name: 'it', first: ended('SIGKILL'), start, say, signal: stop.signal, firstPauseMs: 10 })
  expect(lines[1]).toBe('it ended (no room); starting it again in 0.02 s')
  expect(start).toHaveBeenCalledTimes(2)
})

it('starts nothing after a stop', async () => {
  const stop = new AbortController()
  const start = vi.fn(async () => running)
  const done = keepRunning({ name: 'it', first: running, start, say: () => {}, signal: stop.signal })
  stop.abort()
  await done
  expect(start).not.toHaveBeenCalled()
})

it('resets the backoff after serving for a while, and not after a failed start', async () => {
  const stop = new AbortController()
  const lines: string[] = []
  const after = (ms: number) => new Promise<string>((resolve) => setTimeout(() => resolve('SIGKILL'), ms))
  const neverReady = () => ({ ready: Promise.reject(new Error('it ended')), ended: after(1) })
  // Much longer than it has to: a busy machine may take from it.
  const served = () => ({ ready: Promise.resolve(), ended: after(300) })
  const starts = [neverReady, served, served]
  const start = async () => {
    const next = starts.shift()
    if (next) return next()
    stop.abort()
    return running
  }
  const say = (line: string) => lines.push(line)
  const options = { name: 'it', start, say, signal: stop.signal, firstPauseMs: 10, steadyMs: 20 }
  await keepRunning({ ...options, first: neverReady() })
  expect(lines.map((line) => /in (\S+) s/.exec(line)?.[1])).toEqual(['0.01', '0.02', '0.01', '0.01'])
})
