// Finds base64 in texts: data URIs and long runs of it, in JSON as well as in plain text, wrapped or not.

/** A shorter run is left as it is, unless it is a data URI. */
const MIN_RUN = 512
/** Shortest line of a run that is wrapped. */
const MIN_LINE = 40
/** Longest beginning of a data URI. */
const MAX_PREFIX = 200

export interface Base64Run {
  /** Where it begins in the text, with the beginning of its data URI, and where it ends. */
  start: number
  end: number
  /** The media type that its data URI names. */
  media_type?: string
  base64: string
}

/** The text in order: stretches of text, and the base64 between them. */
export function* splitBase64(text: string): Generator<string | Base64Run> {
  let told = 0
  for (const run of runsIn(text)) {
    if (run.start > told) yield text.slice(told, run.start)
    yield run
    told = run.end
  }
  if (told < text.length) yield text.slice(told)
}

// Not by a regular expression: a run of megabytes exceeds its stack.
function* runsIn(text: string): Generator<Base64Run> {
  let done = 0
  for (let at = 0; at < text.length;) {
    if (!isDigit(text.charCodeAt(at))) {
      at += 1
      continue
    }
    const start = at
    at = endOfRun(text, start)
    const uri = text[start - 1] === ',' ? prefixOf(text, start, done) : undefined
    if (!uri && (at - start < MIN_RUN || !isMixed(text, start, at))) continue
    const base64 = text.slice(start, at).replaceAll(/\\r|\\n|\\|\s/g, '')
    yield { start: uri?.start ?? start, end: at, base64, ...(uri && { media_type: uri.media_type }) }
    done = at
  }
}

/** Lines may be wrapped; in JSON slashes and line ends may be escaped. */
function endOfRun(text: string, start: number): number {
  let at = start
  let line = start
  for (;;) {
    while (isDigit(text.charCodeAt(at))) at += 1
    if (text.startsWith('\\/', at)) {
      at += 2
      continue
    }
    const wrap = at - line < MIN_LINE ? 0 : lengthOfLineEnd(text, at)
    if (wrap === 0 || !isDigit(text.charCodeAt(at + wrap))) break
    at += wrap
    line = at
  }
  while (text[at] === '=') at += 1
  return at
}

function lengthOfLineEnd(text: string, at: number): number {
  return ['\r\n', '\n', '\\r\\n', '\\n'].find((end) => text.startsWith(end, at))?.length ?? 0
}

/** The beginning of a data URI before its base64. */
function prefixOf(text: string, at: number, after: number): { start: number; media_type: string } | undefined {
  const from = Math.max(after, at - MAX_PREFIX)
  const found = /data:([^\s,"'<>()]*?);\s*base64,$/i.exec(text.slice(from, at))
  return found ? { start: from + found.index, media_type: found[1]!.replaceAll('\\', '') } : undefined
}

/** Numbers of many digits, hexadecimal and sequences of a few letters are no base64. */
function isMixed(text: string, start: number, end: number): boolean {
  const run = text.slice(start, Math.min(end, start + 4_096))
  return /[a-z]/.test(run) && /[A-Z]/.test(run) && /[0-9]/.test(run)
}

function isDigit(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 43 ||
    code === 47 ||
    code === 45 ||
    code === 95
  )
}
