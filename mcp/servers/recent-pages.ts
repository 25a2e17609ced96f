// Cache of recently read pages, so that the parts of a long page are consistent and it is fetched once.

export interface ReadPage {
  url: string
  title: string
  text: string
  /** Whether the page was cut. */
  is_cut: boolean
}

const MAX_PAGES = 8
const MAX_AGE_MS = 10 * 60_000

export class RecentPages {
  readonly #pages = new Map<string, { page: ReadPage; read_at: number }>()

  find(url: string): ReadPage | undefined {
    const kept = this.#pages.get(url)
    return kept && Date.now() - kept.read_at < MAX_AGE_MS ? kept.page : undefined
  }

  keep(url: string, page: ReadPage): void {
    this.#pages.delete(url)
    this.#pages.set(url, { page, read_at: Date.now() })
    const [oldest] = this.#pages.keys()
    if (this.#pages.size > MAX_PAGES && oldest !== undefined) this.#pages.delete(oldest)
  }
}
