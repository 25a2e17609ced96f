// What a file is, by its content; its name only tells Markdown from other text.

export type DocumentKind = 'pdf' | 'text' | 'markdown'

/** The kind of a document from its first bytes (some kB are enough) and its name; undefined for what we cannot read. */
export function sniff(_bytes: Uint8Array, _name: string): DocumentKind | undefined {
  throw new Error('not yet')
}
