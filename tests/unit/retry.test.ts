// Retrying for a while.
import { expect, it } from 'vitest'
import { retry } from '../../contracts/retry.ts'

/** Fails a given number of times, then answers. */
function failing(times: number) {
  const work = async () => {
    work.attempts += 1
    if (work.attempts <= times) throw new Error(`attempt ${work.attempts}`)
    return 'done'
  }
  work.attempts = 0
  return work
}

it('retries until the work succeeds', async () => {
  const work = failing(3)
  expect(await retry(work, { patience_ms: 10_000, pause_ms: 1 })).toBe('done')
  expect(work.attempts).toBe(4)
})

it('throws an error that does not pass at once', async () => {
  const work = failing(3)
  const mayPass = (error: unknown) => (error as Error).message === 'attempt 1'
  await expect(retry(work, { patience_ms: 10_000, pause_ms: 1, mayPass })).rejects.toThrow('attempt 2')
})

it('begins no attempt after its time', async () => {
  const work = failing(Infinity)
  await expect(retry(work, { patience_ms: 5, pause_ms: 10 })).rejects.toThrow('attempt 1')
  await expect(retry(work, { patience_ms: 20, pause_ms: 5 })).rejects.toThrow(/attempt/)
  expect(work.attempts).toBeLessThanOrEqual(6)
})

it('makes one attempt under an aborted signal, and then throws its reason', async () => {
  const signal = AbortSignal.abort(new Error('over'))
  expect(await retry(failing(0), { patience_ms: 10_000, pause_ms: 1, signal })).toBe('done')
  const work = failing(Infinity)
  await expect(retry(work, { patience_ms: 10_000, pause_ms: 1, signal })).rejects.toThrow('over')
  expect(work.attempts).toBe(1)
})

it('ends a pause when the signal aborts', async () => {
  const over = new AbortController()
  const retried = retry(failing(Infinity), { patience_ms: 1e9, pause_ms: 1e6, signal: over.signal })
  over.abort(new Error('over'))
  await expect(retried).rejects.toThrow('over')
})
