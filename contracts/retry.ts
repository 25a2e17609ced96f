// Retries work for a while, at a constant pause: for what is starting, or briefly unavailable. What Temporal runs is retried by Temporal.
import { setTimeout as delay } from 'node:timers/promises'

export interface Patience {
  /** No attempt begins later than this after the first one, in milliseconds. */
  patience_ms: number
  pause_ms: number
  /** Whether an error may be gone at the next attempt; by default any. */
  mayPass?: (error: unknown) => boolean
  /** Ends a pause, not an attempt: the first attempt is made in any case. */
  signal?: AbortSignal | undefined
}

/** The first result. @throws the last error, or the signal's reason */
export async function retry<T>(
  work: () => Promise<T>,
  { patience_ms, pause_ms, mayPass = () => true, signal }: Patience,
): Promise<T> {
  const deadline = performance.now() + patience_ms
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (performance.now() + pause_ms > deadline || !mayPass(error)) throw error
    }
    await delay(pause_ms, undefined, signal && { signal }).catch(() => signal?.throwIfAborted())
  }
}
