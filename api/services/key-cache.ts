// The keys of recent requests, so that not every request reads its key from the database.
import type { Principal } from '../../db/queries/keys.ts'

/** How long a key may be used after another process has deleted it, in milliseconds. */
const FRESH_MS = 800
const MOST_KEYS = 10_000

interface Entry {
  principal: Principal
  until: number
}

export class KeyCache {
  readonly #find: (hash: string) => Promise<Principal | undefined>
  readonly #known = new Map<string, Entry>()
  #changes = 0

  /** @param find the key behind the hash of a secret, unless it was deleted or has expired */
  constructor(find: (hash: string) => Promise<Principal | undefined>) {
    this.#find = find
  }

  /** The key behind the hash of a secret. */
  async find(hash: string): Promise<Principal | undefined> {
    const known = this.#known.get(hash)
    if (known && known.until > Date.now()) return known.principal
    const [changes, until] = [this.#changes, Date.now() + FRESH_MS]
    const principal = await this.#find(hash)
    // What was read before a change is not kept after it.
    if (principal && changes === this.#changes) {
      if (this.#known.size >= MOST_KEYS) this.#known.clear()
      this.#known.set(hash, { principal, until })
    } else this.#known.delete(hash)
    return principal
  }

  /** Must be called after a key was changed or deleted by this process: it takes effect at once. */
  forget(): void {
    this.#changes += 1
    this.#known.clear()
  }
}
