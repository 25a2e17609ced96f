// Lists: awaited they are their first page, iterated they are all items.
import type { Answer } from './http.ts'

/** `await list` is the first page as the server sends it; `for await (const item of list)` reads page after page. */
export interface List<Item, Page> extends Answer<Page>, AsyncIterable<Item> {}

/**
 * @param name the key of the array
 * @param before whether the next page is asked for by the last id of this one
 * @param read begins to read a page
 */
export function listOf<Item, Page>(
  name: string,
  before: boolean,
  read: (next?: Record<string, string>) => Answer<Page>,
): List<Item, Page> {
  const first = read()
  return Object.assign(first, {
    async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
      let reading = first
      for (;;) {
        const page = (await reading) as Record<string, Item[]> & { has_more: boolean; next_cursor?: string }
        const items = page[name] ?? []
        yield* items
        const last = items.at(-1) as { id: string } | undefined
        if (!page.has_more || !last) return
        reading = read(before ? { before: last.id } : { cursor: String(page.next_cursor) })
      }
    },
  })
}
