// Detects mails by their headers.

const FIELD = /^([!-9;-~]+):/
/** Fields of which a mail has at least one, and those of which it has another. */
const SENDERS: ReadonlySet<string> = new Set(['from', 'received', 'return-path', 'delivered-to'])
const OTHERS: ReadonlySet<string> = new Set(['to', 'subject', 'date', 'message-id', 'received', 'mime-version'])

/** @param head its beginning @returns `mbox` when it begins with the line that separates mails there */
export function mailKind(head: string): 'eml' | 'mbox' | undefined {
  const text = head.replace(/^(?:\uFEFF|\u00EF\u00BB\u00BF)?\s*/, '')
  const line = /^>?From [^\r\n]*\d\d:\d\d[^\r\n]*\r?\n/.exec(text)?.[0] ?? ''
  // Apple Mail writes the number of bytes first.
  const count = /^\d{1,10}\s*\n/.exec(text)?.[0] ?? ''
  if (!isHeader(text.slice(line.length || count.length), line !== '')) return undefined
  return line === '' ? 'eml' : 'mbox'
}

/** Starts with mail headers, and nothing else; behind a line that separates mails with any. */
function isHeader(text: string, isSeparated: boolean): boolean {
  const end = text.search(/\r?\n\r?\n|\r\r/)
  const lines = (end < 0 ? text : text.slice(0, end)).split(/\r?\n(?![ \t])|\r(?![ \t\n])/)
  // The last line is incomplete when the header is longer than what is known of it.
  const names = (end < 0 ? lines.slice(0, -1) : lines).map((line) => FIELD.exec(line)?.[1]?.toLowerCase())
  if (isSeparated) return names.length > 0 && !names.includes(undefined)
  const others = new Set(names.filter((name) => name !== undefined && OTHERS.has(name)))
  const sender = names.find((name) => name !== undefined && SENDERS.has(name))
  if (names.includes(undefined) || sender === undefined) return false
  others.delete(sender)
  return others.size > 0
}
