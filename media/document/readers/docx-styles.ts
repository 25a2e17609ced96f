// Styles of a Word document: which text they hide, and which list they number, with what they inherit.
import { attribute, childAt, childrenOf } from './xml.ts'

/** Longest chain of inheritance. */
const MAX_CHAIN = 20

export interface ListLevel {
  /** The list; `0` removes a paragraph from its list. */
  list?: string | undefined
  level?: number | undefined
}

export class DocxStyles {
  readonly #styles = new Map<string, Element>()
  readonly #default: Element | undefined

  /** @param root of `styles.xml` */
  constructor(root: Element | undefined) {
    for (const style of childrenOf(root, 'style')) {
      this.#styles.set(attribute(style, 'styleId') ?? '', style)
      if (attribute(style, 'type') === 'paragraph' && isOn(attribute(style, 'default'))) this.#default ??= style
    }
  }

  /** Whether the text of a run is hidden: by itself, or by one of its two styles. */
  isHidden(run: Element, paragraph: Element | undefined): boolean {
    const own = childAt(run, 'rPr', 'vanish')
    if (own) return isOn(attribute(own, 'val') ?? '1')
    const character = this.#hides(attribute(childAt(run, 'rPr', 'rStyle'), 'val'))
    const block = this.#hides(
      attribute(childAt(paragraph, 'pPr', 'pStyle'), 'val') ?? attribute(this.#default, 'styleId'),
    )
    // A property that toggles: hidden twice is shown.
    return character !== block
  }

  /** The list of a paragraph style. */
  listOf(style: string | undefined): ListLevel {
    const found: ListLevel = {}
    for (const each of this.#chain(style)) {
      const { list, level } = listIn(each)
      found.list ??= list
      found.level ??= level
    }
    return found
  }

  #hides(style: string | undefined): boolean {
    const own = this.#chain(style).map((each) => childAt(each, 'rPr', 'vanish'))
    const found = own.find((vanish) => vanish !== undefined)
    return found !== undefined && isOn(attribute(found, 'val') ?? '1')
  }

  /** A style and what it is based on. */
  #chain(id: string | undefined): Element[] {
    const chain: Element[] = []
    for (let at = this.#styles.get(id ?? ''); at && chain.length < MAX_CHAIN;) {
      chain.push(at)
      at = this.#styles.get(attribute(childAt(at, 'basedOn'), 'val') ?? '')
    }
    return chain
  }
}

/** The list that a paragraph or a style names itself. */
export function listIn(element: Element): ListLevel {
  const properties = childAt(element, 'pPr', 'numPr')
  const level = attribute(childAt(properties, 'ilvl'), 'val')
  return {
    list: attribute(childAt(properties, 'numId'), 'val'),
    level: level === undefined ? undefined : Number(level),
  }
}

export function isOn(value: string | undefined): boolean {
  return value !== undefined && !/^(0|false|off)$/.test(value)
}
