// Marks in a text for what is left out there, so that each page has the notices of its own.
import type { Notice } from '../../../contracts/notices.ts'
import type { UnnumberedPage } from './table.ts'

/** The last private use characters, which no font uses. */
const FIRST = 0x10ff00
const ANY = /[\u{10FF00}-\u{10FFFD}]/gu

export class Marks {
  readonly #notices: Omit<Notice, 'count'>[] = []

  /** The character that marks a place. */
  of(code: Notice['code'], message: string): string {
    const known = this.#notices.findIndex((notice) => notice.message === message)
    const index = known === -1 ? this.#notices.push({ code, message }) - 1 : known
    return String.fromCodePoint(FIRST + index)
  }

  /** Takes the marks out of a page. */
  page(marked: string): UnnumberedPage {
    const counts = new Map<number, number>()
    for (const [mark] of marked.matchAll(ANY)) {
      const index = mark.codePointAt(0)! - FIRST
      counts.set(index, (counts.get(index) ?? 0) + 1)
    }
    const text =
      counts.size === 0
        ? marked
        : marked
            .replaceAll(ANY, '')
            .replaceAll(/\n{3,}/g, '\n\n')
            .trim()
    const notices = [...counts].flatMap(([index, count]) => {
      const notice = this.#notices[index]
      return notice ? [{ ...notice, count }] : []
    })
    return { text, ...(notices.length > 0 && { notices }) }
  }
}
