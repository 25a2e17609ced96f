// Marks in a text for what is left out there and for its pictures, so that each page has the notices and the pictures of its own.
import type { Notice } from '../../../contracts/notices.ts'
import type { UnnumberedPage } from './table.ts'

/** The last private use characters, which no font uses. */
const FIRST = 0x10ff00
const FIRST_PICTURE = 0x10d000
const MAX_PICTURES = 0x1000
const ANY = /[\u{10D000}-\u{10DFFF}\u{10FF00}-\u{10FFFD}]/gu

export const PICTURES_NOT_READ = 'Text in pictures is not read'

export class Marks {
  readonly #notices: Omit<Notice, 'count'>[] = []
  readonly #pictures: string[] = []

  /** The character that marks a place. */
  of(code: Notice['code'], message: string): string {
    const known = this.#notices.findIndex((notice) => notice.message === message)
    const index = known === -1 ? this.#notices.push({ code, message }) - 1 : known
    return String.fromCodePoint(FIRST + index)
  }

  /** The character that marks a picture. @param part of the document, undefined for a picture outside of it */
  picture(part: string | undefined): string {
    const known = part === undefined ? -1 : this.#pictures.indexOf(part)
    if (known >= 0) return String.fromCodePoint(FIRST_PICTURE + known)
    if (part === undefined || this.#pictures.length === MAX_PICTURES) return this.of('not_read', PICTURES_NOT_READ)
    return String.fromCodePoint(FIRST_PICTURE + this.#pictures.push(part) - 1)
  }

  /** Takes the marks out of a page. */
  page(marked: string): UnnumberedPage {
    const counts = new Map<number, number>()
    const pictures = new Set<string>()
    for (const [mark] of marked.matchAll(ANY)) {
      const code = mark.codePointAt(0)!
      const picture = this.#pictures[code - FIRST_PICTURE]
      if (picture === undefined) counts.set(code - FIRST, (counts.get(code - FIRST) ?? 0) + 1)
      else pictures.add(picture)
    }
    const text =
      counts.size + pictures.size === 0
        ? marked
        : marked
            .replaceAll(ANY, '')
            .replaceAll(/\n{3,}/g, '\n\n')
            .trim()
    const notices = [...counts].flatMap(([index, count]) => {
      const notice = this.#notices[index]
      return notice ? [{ ...notice, count }] : []
    })
    return { text, ...(notices.length > 0 && { notices }), ...(pictures.size > 0 && { pictures: [...pictures] }) }
  }
}
