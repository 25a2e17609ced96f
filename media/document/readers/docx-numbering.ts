// Automatic numbers of Word: counters of lists with levels, restarts and formats.
import { numberText } from './number-formats.ts'
import type { DocxStyles } from './docx-styles.ts'
import { attribute, childAt, childrenOf } from './xml.ts'

const LEVELS = 9

interface Level {
  start: number
  format: string
  /** With `%1` to `%9` for the numbers of the levels. */
  text: string
  isLegal: boolean
  /** The number of levels whose use restarts it; 0 for none. */
  restart: number
  space: string
}

interface List {
  levels: (Level | undefined)[]
  /** By paragraph style. */
  styles: Map<string, number>
  /** Shared by all lists of one definition. */
  counters: (number | undefined)[]
}

interface Numbered {
  list: List
  /** Starts of levels that this list restarts. */
  restarts: Map<number, number>
}

export interface Label {
  list: string
  level: number
  kind: 'number' | 'bullet' | 'none'
  text: string
  /** Written in another format than the document's. */
  isGuess: boolean
}

export class DocxNumbering {
  readonly #lists = new Map<string, Numbered>()
  readonly #styles: DocxStyles

  /** @param root of `numbering.xml` */
  constructor(root: Element | undefined, styles: DocxStyles) {
    this.#styles = styles
    const definitions = new Map(childrenOf(root, 'abstractNum').map((each) => [attribute(each, 'abstractNumId'), each]))
    const shared = new Map<Element, List>()
    const lists = childrenOf(root, 'num')
    const definitionOf = (id: string | undefined, depth = 0): Element | undefined => {
      const list = lists.find((each) => attribute(each, 'numId') === id)
      const definition = definitions.get(attribute(childAt(list, 'abstractNumId'), 'val'))
      const style = attribute(childAt(definition, 'numStyleLink'), 'val')
      return style !== undefined && depth < LEVELS ? definitionOf(styles.listOf(style).list, depth + 1) : definition
    }
    for (const list of lists) {
      const id = attribute(list, 'numId') ?? ''
      const definition = definitionOf(id)
      if (!definition) continue
      const known = shared.get(definition) ?? readList(definition)
      shared.set(definition, known)
      this.#lists.set(id, override(known, childrenOf(list, 'lvlOverride')))
    }
  }

  /** Counts a paragraph and returns its label; undefined outside of lists. Call it for each paragraph in order. */
  next(paragraph: Element, own: { list?: string | undefined; level?: number | undefined }): Label | undefined {
    const style = attribute(childAt(paragraph, 'pPr', 'pStyle'), 'val')
    const inherited = this.#styles.listOf(style)
    const id = own.list ?? inherited.list
    const numbered = this.#lists.get(id ?? '')
    if (id === undefined || !numbered) return undefined
    const { list, restarts } = numbered
    const index = own.level ?? list.styles.get(style ?? '') ?? inherited.level ?? 0
    const level = list.levels[index]
    if (!level) return undefined
    this.#count(list, index, level, restarts)
    const kind = level.format === 'bullet' ? 'bullet' : level.format === 'none' || level.text === '' ? 'none' : 'number'
    const { text, isGuess } = kind === 'number' ? labelOf(list, level) : { text: '', isGuess: false }
    return { list: id, level: index, kind, text: text.trim() === '' ? '' : text + level.space, isGuess }
  }

  #count(list: List, index: number, level: Level, restarts: Map<number, number>): void {
    const { counters } = list
    // A level that was passed over counts as used.
    for (let above = 0; above < index; above++) counters[above] ??= list.levels[above]?.start ?? 1
    const forced = restarts.get(index)
    if (forced === undefined) counters[index] = counters[index] === undefined ? level.start : counters[index] + 1
    else {
      counters[index] = forced
      restarts.delete(index)
    }
    for (let below = index + 1; below < LEVELS; below++) {
      const restart = list.levels[below]?.restart ?? below
      if (restart !== 0 && index < restart) counters[below] = undefined
    }
  }
}

function labelOf(list: List, level: Level): { text: string; isGuess: boolean } {
  let isGuess = false
  const text = level.text.replaceAll(/%([1-9])/g, (_, place: string) => {
    const index = Number(place) - 1
    const other = list.levels[index]
    const number = list.counters[index] ?? other?.start ?? 1
    const format = level.isLegal && other?.format !== 'decimalZero' ? 'decimal' : (other?.format ?? 'decimal')
    const written = numberText(number, format)
    if (written === undefined) isGuess = true
    return written ?? String(number)
  })
  return { text, isGuess }
}

function readList(definition: Element): List {
  const list: List = { levels: [], styles: new Map(), counters: [] }
  for (const each of childrenOf(definition, 'lvl')) putLevel(list, each)
  return list
}

function putLevel(list: List, element: Element): void {
  const index = Number(attribute(element, 'ilvl') ?? 0)
  if (!(index >= 0 && index < LEVELS)) return
  const value = (name: string) => attribute(childAt(element, name), 'val')
  const style = value('pStyle')
  if (style !== undefined) list.styles.set(style, index)
  const format = childAt(element, 'numFmt')
  list.levels[index] = {
    start: Number(value('start') ?? 0) || 0,
    format:
      (attribute(format, 'val') === 'custom' ? attribute(format, 'format') : attribute(format, 'val')) ?? 'decimal',
    text: value('lvlText') ?? '',
    isLegal: childAt(element, 'isLgl') !== undefined && value('isLgl') !== '0',
    restart: Number(value('lvlRestart') ?? index),
    space: value('suff') === 'nothing' ? '' : ' ',
  }
}

function override(list: List, changes: Element[]): Numbered {
  const restarts = new Map<number, number>()
  let levels = list.levels
  for (const change of changes) {
    const index = Number(attribute(change, 'ilvl') ?? 0)
    const start = attribute(childAt(change, 'startOverride'), 'val')
    if (start !== undefined) restarts.set(index, Number(start) || 0)
    const level = childAt(change, 'lvl')
    if (!level) continue
    const changed: List = { ...list, levels: [...levels] }
    putLevel(changed, level)
    levels = changed.levels
    if (start === undefined && childAt(level, 'start')) restarts.set(index, levels[index]?.start ?? 0)
  }
  return { list: levels === list.levels ? list : { ...list, levels }, restarts }
}
