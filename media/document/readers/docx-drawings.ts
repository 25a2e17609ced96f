// Drawings of a Word document: text boxes in all their encodings, charts, diagrams, pictures, objects, parts in other formats.
import { around, type BodyContext, type Make, textRun, elementsOf } from './docx-xml.ts'
import { attribute, childrenOf, descendantsOf } from './xml.ts'

/** Replaces what mammoth cannot read by paragraphs behind the one that it belongs to. */
export function moveDrawings(root: Element, make: Make, occurs: (name: string) => boolean, context: BodyContext): void {
  /** The last block behind each paragraph. */
  const behind = new Map<Element, Element>()
  const put = (from: Element, blocks: Element[]) => {
    const paragraph = around(from, 'p')
    if (!paragraph || blocks.length === 0) return
    const last = behind.get(paragraph) ?? paragraph
    last.after(...blocks)
    behind.set(paragraph, blocks.at(-1)!)
  }
  const paragraph = (text: string) => make('p', {}, textRun(make, text))

  if (occurs('txbxContent'))
    for (const box of elementsOf(root, 'txbxContent')) {
      put(box, childrenOf(box))
      box.remove()
    }
  if (occurs('drawing') || occurs('pict'))
    for (const drawing of [...descendantsOf(root, 'drawing'), ...descendantsOf(root, 'pict')]) {
      put(drawing, shapeTexts(drawing).map(paragraph))
      for (const id of referencesOf(drawing)) put(drawing, [paragraph(context.block(id))])
      const pictures = [...descendantsOf(drawing, 'blip'), ...descendantsOf(drawing, 'imagedata')]
      const ids = pictures.map((each) => relationOf(each, 'embed') ?? relationOf(each, 'id'))
      mark(drawing, ids.map((id) => context.picture(id)).join(''))
    }
  if (occurs('OLEObject'))
    for (const object of elementsOf(root, 'OLEObject')) {
      const isFormula = /^(Equation|MathType)/i.test(attribute(object, 'ProgID') ?? '')
      const message = isFormula ? 'Formulas of old editors are not read' : 'Embedded objects are not read'
      mark(object, context.marks.of('not_read', message))
    }
  if (occurs('altChunk'))
    for (const chunk of elementsOf(root, 'altChunk')) {
      const id = relationOf(chunk, 'id')
      if (id === undefined) chunk.remove()
      else chunk.replaceWith(paragraph(context.block(id)))
    }

  function mark(from: Element, signs: string): void {
    const run = around(from, 'r')
    if (signs !== '' && run) run.after(textRun(make, signs))
  }
}

/** Texts of shapes outside of text boxes: DrawingML paragraphs, and WordArt. */
function shapeTexts(drawing: Element): string[] {
  const paragraphs = elementsOf(drawing, 'p').filter((each) => around(each, 'txBody'))
  const texts = paragraphs.map((each) =>
    elementsOf(each, 't')
      .map((text) => text.textContent ?? '')
      .join(''),
  )
  const art = elementsOf(drawing, 'textpath').map((path) => attribute(path, 'string') ?? '')
  return [...texts, ...art].filter((text) => /[\p{L}\p{N}]/u.test(text))
}

/** Relations to charts and diagrams. */
function referencesOf(drawing: Element): string[] {
  const charts = elementsOf(drawing, 'chart').map((each) => relationOf(each, 'id'))
  const diagrams = elementsOf(drawing, 'relIds').map((each) => relationOf(each, 'dm'))
  return [...charts, ...diagrams].filter((id) => id !== undefined)
}

/** `r:id`, in contrast to attributes of the same name without a prefix. */
export function relationOf(element: Element, name: string): string | undefined {
  return [...element.attributes].find((each) => each.name.endsWith(`:${name}`))?.value
}
