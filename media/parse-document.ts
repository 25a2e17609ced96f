// Documents into pages of Markdown text, in a child process that can be killed.

export interface Page {
  /** From 1. */
  page: number
  /** Markdown, headings kept. */
  text: string
}

export interface ParseLimits {
  memory_mb: number
  /** Longest time of one call, in milliseconds. */
  time_ms: number
  /** Most text of one call. */
  output_bytes: number
  max_pages: number
}

export interface ParseOptions {
  signal: AbortSignal
  limits: ParseLimits
}

/**
 * What a file is and how many pages it has; text files have one page.
 * @throws MediaFailure, or the signal's reason
 */
export function inspectDocument(_path: string, _options: ParseOptions): Promise<{ kind: 'pdf' | 'text'; pages: number }> {
  throw new Error('not yet')
}

/**
 * The pages from `from` to `to`, both included.
 * @throws MediaFailure, or the signal's reason
 */
export function parsePages(_path: string, _range: { from: number; to: number }, _options: ParseOptions): Promise<Page[]> {
  throw new Error('not yet')
}
