// What a file is, by its content; its name only tells Markdown from other text.

export type DocumentKind = 'pdf' | 'text' | 'markdown'

/** How much of a file is looked at, in bytes. */
export const SNIFFED_BYTES = 65_536
/** Readers of PDF accept junk before the header, up to so many bytes. */
const PDF_HEADER_WITHIN = 1_024

/** The kind of a document from its first bytes (`SNIFFED_BYTES` are enough) and its name; undefined for what we cannot read. */
export function sniff(bytes: Uint8Array, name: string): DocumentKind | undefined {
  const head = bytes.subarray(0, SNIFFED_BYTES)
  if (isPdf(head)) return 'pdf'
  if (textEncoding(head) === undefined) return undefined
  return /\.(md|mdx|markdown)$/i.test(name) ? 'markdown' : 'text'
}

export type TextEncoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252'

/** How text is written in these bytes (the beginning of a file); undefined when they are no text. */
export function textEncoding(head: Uint8Array): TextEncoding | undefined {
  if (head.length === 0) return undefined
  if (head[0] === 0xff && head[1] === 0xfe) return isIn('utf-16le', head) ? 'utf-16le' : undefined
  if (head[0] === 0xfe && head[1] === 0xff) return isIn('utf-16be', head) ? 'utf-16be' : undefined
  if (startsWith(head, '{\\rtf')) return undefined
  const { control, high } = countBytes(head)
  if (control > 0) return undefined
  if (isIn('utf-8', head)) return 'utf-8'
  // Old one-byte text: mostly ASCII, with a letter beyond it now and then.
  return high < head.length * 0.3 ? 'windows-1252' : undefined
}

function isPdf(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, PDF_HEADER_WITHIN)).includes('%PDF-', 0, 'latin1')
}

function startsWith(head: Uint8Array, text: string): boolean {
  return Buffer.from(head.subarray(0, text.length)).toString('latin1') === text
}

function countBytes(head: Uint8Array): { control: number; high: number } {
  let control = 0
  let high = 0
  for (const byte of head) {
    // Tab to carriage return, and the escape of terminal recordings, do occur in text.
    if (byte < 0x20 ? !((byte >= 0x09 && byte <= 0x0d) || byte === 0x1b) : byte === 0x7f) control++
    else if (byte >= 0x80) high++
  }
  return { control, high }
}

function isIn(encoding: TextEncoding, head: Uint8Array): boolean {
  try {
    // `stream`: a character cut in two by the end of what we were given is no fault.
    const text = new TextDecoder(encoding, { fatal: true }).decode(head, { stream: true })
    return !text.includes('\0')
  } catch {
    return false
  }
}
