// How long to wait before another attempt, and a wait that a signal ends.

/** Silence of a connection that counts as a lost connection: it is noticed within 35 s. */
export const SILENCE_MS = 34_000

/** A server that asks for a longer pause gets no retry: the error says when to come back. */
export const LONGEST_PAUSE_MS = 60_000
/** Longer timers would fire at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Of a request with files, in bytes a millisecond: slower is a lost connection. */
export const SLOWEST_UPLOAD = 25

const FIRST_MS = 500
const LONGEST_MS = 15_000

/**
 * Full jitter: anything up to 0.5 s · 2ⁿ, at most 15 s.
 * @param attempt attempts that have failed since the last success, less one: 0 for the first retry
 * @param retryAfterMs what the server asked for; it takes precedence
 */
export function delayOf(attempt: number, retryAfterMs?: number): number {
  return retryAfterMs ?? Math.random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt)
}

/** Resolves after some milliseconds; rejects with the signal's reason as soon as it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      if (signal?.aborted) reject(signal.reason as Error)
      else resolve()
    }
    const timer = setTimeout(end, Math.min(ms, LONGEST_TIMER_MS))
    if (signal?.aborted) end()
    else signal?.addEventListener('abort', end)
  })
}
