// Elements of a Word document: making them, and what surrounds them.
import type { DocxNumbering } from './docx-numbering.ts'
import type { DocxStyles } from './docx-styles.ts'
import type { Marks } from './marks.ts'
import { descendantsOf, nameOf } from './xml.ts'

/** Styles of runs that the style map of mammoth knows. */
export const LABEL_STYLE = 'MuxiLabel'
export const TEX_STYLE = 'MuxiTex'

export interface BodyContext {
  styles: DocxStyles
  numbering: DocxNumbering
  marks: Marks
  /** The text of a paragraph that is replaced by what this relation of the part refers to. */
  block(relation: string): string
  /** The mark of a picture that this relation refers to. */
  picture(relation: string | undefined): string
}

export type Make = (name: string, values?: Record<string, string>, ...children: (Element | string)[]) => Element

/** Creates elements with the prefix of the root. */
export function maker(root: Element): Make {
  const prefix = root.tagName.includes(':') ? root.tagName.slice(0, root.tagName.indexOf(':') + 1) : ''
  return (name, values = {}, ...children) => {
    const element = root.ownerDocument.createElement(prefix + name)
    // Attributes need a prefix where elements have the default namespace.
    for (const [key, value] of Object.entries(values))
      element.setAttribute(key.includes(':') ? key : `${prefix || 'w:'}${key}`, value)
    element.append(...children)
    return element
  }
}

export function textRun(make: Make, text: string, style?: string): Element {
  const content = make('t', { 'xml:space': 'preserve' }, text)
  return style === undefined
    ? make('r', {}, content)
    : make('r', {}, make('rPr', {}, make('rStyle', { val: style })), content)
}

export function parentOf(element: Element): Element {
  return element.parentElement ?? element
}

/** The nearest element around one with this name. */
export function around(element: Element, name: string): Element | undefined {
  let at = element.parentElement
  while (at && nameOf(at) !== name) at = at.parentElement
  return at ?? undefined
}

/** A list, because loops over it change the tree. */
export function elementsOf(root: Element, name: string): Element[] {
  return [...descendantsOf(root, name)]
}
