// Untrusted HTML as the tree that a browser without scripts builds (parse5), in the DOM that turndown and readability use.
import { parseHTML } from 'linkedom/worker'
import { type DefaultTreeAdapterTypes, html, parse } from 'parse5'

type Parsed = DefaultTreeAdapterTypes.ParentNode

/** Limit of nesting: later steps recurse for each level. */
const MAX_DEPTH = 500
const EMPTY = '<!doctype html><html><head></head><body></body></html>'

/** @throws RangeError when the nesting is too deep */
export function parseHtml(source: string): Document {
  const { document } = parseHTML(EMPTY)
  const root = parse(source, { scriptingEnabled: false }).childNodes.find(({ nodeName }) => nodeName === 'html')
  const waiting: { from: Parsed; to: Element; depth: number }[] = []
  for (const part of root && 'childNodes' in root ? root.childNodes : []) {
    // A page of frames has no body; its `noframes` is what can be read.
    const to = part.nodeName === 'head' ? document.head : document.body
    if ('attrs' in part) setAttributes(to, part.attrs)
    if ('childNodes' in part) waiting.push({ from: part, to, depth: 1 })
  }
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { from, to, depth } = next
    if (depth > MAX_DEPTH) throw new RangeError('nested too deeply')
    for (const node of from.childNodes) {
      if (node.nodeName === '#text' && 'value' in node) to.append(document.createTextNode(node.value))
      if (!('tagName' in node)) continue
      const isHtml = node.namespaceURI === html.NS.HTML
      const element = isHtml
        ? document.createElement(node.tagName)
        : document.createElementNS(node.namespaceURI, node.tagName)
      setAttributes(element, node.attrs)
      to.append(element)
      waiting.push({ from: node, to: element, depth: depth + 1 })
    }
  }
  return document
}

function setAttributes(element: Element, attributes: readonly { name: string; value: string }[]): void {
  for (const { name, value } of attributes) element.setAttribute(name, value)
}
