// XML parts of documents as trees, independent of namespace prefixes.
import { DOMParser } from 'linkedom/worker'
import { MediaFailure } from '../../failure.ts'

/** The root of a document. @throws MediaFailure */
export function parseXml(xml: string): Element {
  const root = new DOMParser().parseFromString(xml.replace(/^\uFEFF/, ''), 'text/xml')
    .documentElement as unknown as Element | null
  if (!root) throw new MediaFailure('damaged', 'A part of the document is empty')
  return root
}

/** Without its prefix: `p` of `<text:p>`. */
export function nameOf(element: Element): string {
  return element.tagName.slice(element.tagName.indexOf(':') + 1)
}

/** Children of an element, filtered by names if given. */
export function childrenOf(element: Element | undefined, ...names: string[]): Element[] {
  const children = element ? ([...element.children] as Element[]) : []
  return names.length === 0 ? children : children.filter((child) => names.includes(nameOf(child)))
}

/** The descendant at a path of child names; undefined if one is missing. */
export function childAt(element: Element | undefined, ...path: string[]): Element | undefined {
  return path.reduce((at, name) => at && childrenOf(at, name)[0], element)
}

/** Descendants with a name, in order, without recursion. */
export function* descendantsOf(element: Element, name: string): Generator<Element> {
  const waiting = childrenOf(element).toReversed()
  for (let at = waiting.pop(); at; at = waiting.pop()) {
    if (nameOf(at) === name) yield at
    waiting.push(...childrenOf(at).toReversed())
  }
}

/** An attribute, with any prefix. */
export function attribute(element: Element | undefined, name: string): string | undefined {
  if (!element) return undefined
  return [...element.attributes].find((each) => each.name === name || each.name.endsWith(`:${name}`))?.value
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** Resolves a relative path in a part: `../media/a.png` of `ppt/slides/slide1.xml`. */
export function resolvePart(from: string, path: string): string {
  const { pathname } = new URL(path, `zip:///${from.split('/').map(encodeURIComponent).join('/')}`)
  try {
    return decodeURIComponent(pathname.slice(1))
  } catch {
    return pathname.slice(1)
  }
}
