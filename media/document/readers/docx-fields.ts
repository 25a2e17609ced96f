// Fields of a Word document: the chosen entry of a drop-down list, which no text repeats; page numbers, which are not text.
import { around, type Make, textRun, elementsOf } from './docx-xml.ts'
import { attribute, childAt, childrenOf, nameOf } from './xml.ts'

const PAGE_NUMBER = /^\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b/i

/** Shows the chosen entries of drop-down lists. */
export function readFields(root: Element, make: Make, occurs: (name: string) => boolean): void {
  if (!occurs('ddList')) return
  for (const list of elementsOf(root, 'ddList')) {
    const entries = childrenOf(list, 'listEntry').map((entry) => attribute(entry, 'val') ?? '')
    const chosen = attribute(childAt(list, 'result'), 'val') ?? attribute(childAt(list, 'default'), 'val') ?? '0'
    const run = around(list, 'r')
    const entry = entries[Number(chosen)]
    if (run && entry) run.before(textRun(make, entry))
  }
}

/** Removes the results of fields for page numbers. @returns whether there was one */
export function removePageNumbers(block: Element): boolean {
  let found = false
  for (const field of elementsOf(block, 'fldSimple')) {
    if (!PAGE_NUMBER.test(attribute(field, 'instr') ?? '')) continue
    field.remove()
    found = true
  }
  /** Open fields: their instruction, and whether their result has begun. */
  const open: { instruction: string; isResult: boolean }[] = []
  for (const run of elementsOf(block, 'r')) {
    for (const child of childrenOf(run)) {
      const type = nameOf(child) === 'fldChar' ? attribute(child, 'fldCharType') : undefined
      if (type === 'begin') open.push({ instruction: '', isResult: false })
      else if (type === 'end') open.pop()
      else if (type === 'separate' && open.length > 0) open.at(-1)!.isResult = true
      else if (nameOf(child) === 'instrText' && open.length > 0) open.at(-1)!.instruction += child.textContent ?? ''
      else if (open.some(({ instruction, isResult }) => isResult && PAGE_NUMBER.test(instruction))) {
        if (nameOf(child) === 't') child.remove()
        found = true
      }
    }
  }
  return found
}
