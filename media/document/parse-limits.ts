// The limits of parsing a document.

export interface ParseLimits {
  /** Resident memory of the parser process. */
  memory_mb: number
  /** Time limit of one call, in milliseconds. */
  time_ms: number
  /** Limit of the text of one call; for a text file, its size. */
  output_bytes: number
  max_pages: number
}

export interface ParseOptions {
  /** The client's file name; the content takes precedence. */
  name?: string
  signal: AbortSignal
  limits: ParseLimits
}
