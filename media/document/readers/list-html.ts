// Paragraphs with levels as nested lists.

export interface ListItem {
  /** From 0. */
  level: number
  html: string
}

export function listHtml(items: readonly ListItem[]): string {
  const open: number[] = []
  let html = ''
  for (const item of items) {
    while (open.length > 0 && item.level < open.at(-1)!) {
      // An item between two levels belongs to the upper one.
      if (open.length === 1 || item.level > open.at(-2)!) break
      html += '</li></ul>'
      open.pop()
    }
    const isDeeper = open.length === 0 || item.level > open.at(-1)!
    html += (isDeeper ? '<ul><li>' : '</li><li>') + item.html
    if (isDeeper) open.push(item.level)
  }
  return html + '</li></ul>'.repeat(open.length)
}
