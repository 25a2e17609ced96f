// One request at a time continues an upload in this process: a client that comes back ends its cut connection, which may seem open.
// Between processes the rows decide.
import type { Lock, Locker } from '@tus/server'
import { MuxiError } from '../../contracts/failures.ts'
import { raceSignal } from '../../contracts/signals.ts'

/** How long a request waits for the one before, in milliseconds. */
const WAIT_MS = 30_000

interface Holder {
  release: () => void
  released: Promise<void>
}

export class UploadLocks implements Locker {
  readonly #held = new Map<string, Holder & { requestRelease: () => unknown }>()

  newLock(id: string): Lock {
    let mine: Holder | undefined
    return {
      lock: async (stop, requestRelease) => {
        const signal = AbortSignal.any([stop, AbortSignal.timeout(WAIT_MS)])
        for (let other = this.#held.get(id); other; other = this.#held.get(id)) {
          await other.requestRelease()
          await raceSignal(other.released, signal).catch((cause: unknown) => {
            throw new MuxiError('unavailable', 'Cannot continue the upload: another request does', {
              retryAfter: 1,
              cause,
            })
          })
        }
        const { promise, resolve } = Promise.withResolvers<void>()
        mine = { release: resolve, released: promise }
        this.#held.set(id, { ...mine, requestRelease })
      },
      unlock: async () => {
        this.#held.delete(id)
        mine?.release()
      },
    }
  }
}
