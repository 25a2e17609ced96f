// Numbers of lists and headings of an OpenDocument.
import { numberText } from './number-formats.ts'
import { attribute, childrenOf, nameOf } from './xml.ts'

const FORMATS: Record<string, string> = {
  1: 'decimal',
  a: 'lowerLetter',
  A: 'upperLetter',
  i: 'lowerRoman',
  I: 'upperRoman',
}
const MAX_LEVEL = 10

/** The numbers of one list: by level from 1, how far it has counted. */
interface Count {
  style: string
  numbers: number[]
}

export class OdfLists {
  /** Levels by style. */
  readonly #styles = new Map<string, Map<number, Element>>()
  readonly #outline: Count = { style: OUTLINE, numbers: [] }
  readonly #last = new Map<string, Count>()
  readonly #byId = new Map<string, Count>()

  /** @param parents of styles of lists, the last ones preferred */
  constructor(parents: readonly (Element | undefined)[]) {
    for (const style of parents.flatMap((parent) => childrenOf(parent, 'list-style', 'outline-style'))) {
      const name = nameOf(style) === 'outline-style' ? OUTLINE : (attribute(style, 'name') ?? '')
      this.#styles.set(name, new Map(childrenOf(style).map((level) => [Number(attribute(level, 'level')), level])))
    }
  }

  /** Begins a list, which may continue another. @param style of the list, or of what is around it */
  begin(list: Element, style: string): Count {
    const continued = attribute(list, 'continue-list')
    const known =
      continued !== undefined
        ? this.#byId.get(continued)
        : attribute(list, 'continue-numbering') === 'true'
          ? this.#last.get(style)
          : undefined
    const count = { style, numbers: [...(known?.numbers ?? [])] }
    this.#last.set(style, count)
    const id = attribute(list, 'id')
    if (id !== undefined) this.#byId.set(id, count)
    return count
  }

  /** Counts an item. @param level from 1 @returns its number, empty for a bullet */
  next(count: Count, level: number, item: Element): string {
    const definition = this.#styles.get(count.style)?.get(level)
    const start = Number(attribute(item, 'start-value') ?? 'NaN')
    const first = Number(attribute(definition, 'start-value') ?? 1)
    count.numbers.length = Math.min(count.numbers.length, level)
    for (let at = 0; at < level - 1; at += 1) count.numbers[at] ??= 1
    const before = count.numbers[level - 1]
    count.numbers[level - 1] = Number.isNaN(start) ? (before === undefined ? first : before + 1) : start
    return this.#label(count, level)
  }

  /** Counts a heading. */
  heading(element: Element): string {
    const level = Math.min(Math.max(Number(attribute(element, 'outline-level') ?? 1) || 1, 1), MAX_LEVEL)
    return attribute(element, 'is-list-header') === 'true' ? '' : this.next(this.#outline, level, element)
  }

  #label({ style, numbers }: Count, level: number): string {
    const levels = this.#styles.get(style)
    const definition = levels?.get(level)
    const format = attribute(definition, 'num-format') ?? ''
    if (!definition || /bullet|image/.test(nameOf(definition)) || format === '') return ''
    const shown = (at: number) => {
      const own = attribute(levels!.get(at), 'num-format') || '1'
      return numberText(numbers[at - 1] ?? 1, FORMATS[own] ?? 'decimal') ?? String(numbers[at - 1] ?? 1)
    }
    const pattern = attribute(definition, 'num-list-format')
    if (pattern !== undefined) return pattern.replaceAll(/%(\d+)%/g, (_, at: string) => shown(Number(at))).trim()
    const shownLevels = Math.min(Number(attribute(definition, 'display-levels') ?? 1) || 1, level)
    const parts = Array.from({ length: shownLevels }, (_, index) => shown(level - shownLevels + 1 + index))
    const [before, after] = [attribute(definition, 'num-prefix') ?? '', attribute(definition, 'num-suffix') ?? '']
    return `${before}${parts.join('.')}${after}`.trim()
  }
}

/** The style of headings. */
const OUTLINE = ' outline'
