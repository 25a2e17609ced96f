// Fetches an untrusted URL within limits of size and time: every step of a redirect is checked.
import { UrlRefused } from '../../contracts/url-refused.ts'
import type { UrlGuard } from '../../net/url-guard.ts'
import { networkFault, readBody, retryAfter } from './bounded-body.ts'
import type { PageSource } from './read-page.ts'

export interface PageLimits {
  /** From the request to the last byte, in milliseconds. */
  time_ms: number
  /** Of the decompressed text; the rest is not read. */
  max_bytes: number
}

const HEADERS = {
  accept: 'text/html, application/xhtml+xml, text/markdown, text/plain;q=0.9, application/json;q=0.8, */*;q=0.5',
  'user-agent': 'Mozilla/5.0 (compatible; muxi)',
}
/** Media types of text. */
const TEXTUAL = /^(text\/.*|application\/(.*\+)?(json|xml|yaml|x-yaml|toml|javascript|x-ndjson|ld\+json|rtf))$/
/** Types without information. */
const UNKNOWN = new Set(['', 'application/octet-stream', 'binary/octet-stream', 'application/x-download'])
/** Bytes that are read to detect text. */
const SNIFFED = 1_024

/** @throws an error for the model, or the signal's reason */
export async function fetchPage(
  url: string,
  guard: UrlGuard,
  { time_ms, max_bytes }: PageLimits,
  signal: AbortSignal,
): Promise<PageSource> {
  const patience = AbortSignal.timeout(time_ms)
  try {
    const response = await guard.fetch(url, { headers: HEADERS, signal: AbortSignal.any([signal, patience]) })
    const header = response.headers.get('content-type') ?? ''
    const type = header.split(';')[0]!.trim().toLowerCase()
    const why = response.ok ? refusalOf(type) : statusFault(response)
    if (why !== undefined) {
      await response.body?.cancel()
      throw new PageFault(why)
    }
    const { bytes, is_cut } = await readBody(response, max_bytes)
    const isBinary = binaryFault(bytes)
    if (isBinary !== undefined) throw new PageFault(isBinary)
    const charset = /;\s*charset\s*=\s*["']?([^\s"';]+)/i.exec(header)?.[1]
    return {
      url: response.url,
      kind: kindOf(type, bytes),
      ...(charset !== undefined && { charset }),
      bytes,
      is_cut,
    }
  } catch (error) {
    signal.throwIfAborted()
    const why = patience.aborted
      ? `it took longer than ${time_ms / 1_000} s`
      : error instanceof PageFault
        ? error.message
        : networkFault(error)
    // The guard's message names the reason.
    if (!patience.aborted && error instanceof UrlRefused) throw error
    throw new Error(`Cannot read the page: ${why}`, { cause: error })
  }
}

class PageFault extends Error {}

function statusFault(response: Response): string {
  const seconds = retryAfter(response)
  const later = seconds === undefined ? '' : `; it may be asked again in ${seconds} s`
  return `its server answered ${response.status}${later}`
}

function refusalOf(type: string): string | undefined {
  if (type === 'application/pdf') return PDF
  return TEXTUAL.test(type) || UNKNOWN.has(type)
    ? undefined
    : `it must be HTML, text or JSON, got ${type.slice(0, 100)}`
}

const PDF = 'it is a PDF, which only an upload to muxi makes readable'

/** Servers often declare binary data as text. */
function binaryFault(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.subarray(0, SNIFFED)).toString('latin1')
  if (head.startsWith('%PDF-')) return PDF
  const isUtf16 = /^(?:\xff\xfe|\xfe\xff|<\0[?!h]\0|\0<\0[?!h])/.test(head)
  return head.includes('\0') && !isUtf16 ? 'it is not text' : undefined
}

function kindOf(type: string, bytes: Uint8Array): PageSource['kind'] {
  if (type === 'text/html' || type === 'application/xhtml+xml') return 'html'
  if (!UNKNOWN.has(type)) return 'text'
  const head = Buffer.from(bytes.subarray(0, SNIFFED)).toString('latin1').trimStart()
  return /^(?:\xef\xbb\xbf\s*)?<(?:!doctype\s+html|html|head|body)\b/i.test(head) ? 'html' : 'text'
}
