// Untrusted HTML: decoded by declared charset, meta tag or detection; its links; the text of a tree.
import sniffEncoding from 'html-encoding-sniffer'
import { decodeBytes } from './decode-bytes.ts'
import { textEncoding } from './text-encoding.ts'

/** Elements without readable text. */
export const UNREAD =
  'script, style, template, iframe, object, embed, svg, canvas, link, meta, base, [hidden], [aria-hidden="true"], dialog:not([open])'

export interface Declared {
  /** The declared charset. */
  charset?: string | undefined
  /** Plain text cannot declare a charset itself. */
  isPlain?: boolean
  /** Default encoding when none is declared. */
  undeclared?: string
}

/** A browser looks at 1,024 bytes first, and starts again when it comes upon a meta tag behind them. */
const META_WITHIN = 65_536

/** By byte order mark, declared charset, meta tag, then detection; by detection too, where most is no text of what is declared. */
export function decodeHtml(bytes: Uint8Array, { charset, isPlain = false, undeclared }: Declared = {}): string {
  const defaultEncoding = undeclared ?? (isUtf8(bytes) ? 'UTF-8' : 'windows-1252')
  const encoding = sniffEncoding(bytes, {
    ...(charset !== undefined && { transportLayerEncodingLabel: charset }),
    defaultEncoding,
    maxPrescanBytes: isPlain ? 0 : META_WITHIN,
  })
  try {
    const text = decodeBytes(bytes, encoding)
    return encoding === 'UTF-8' && isGarbled(text)
      ? decodeBytes(bytes, undeclared ?? textEncoding(bytes) ?? encoding)
      : text
  } catch {
    // An encoding that the standard forbids.
    return decodeBytes(bytes, defaultEncoding)
  }
}

/** Makes links absolute or removes them, as those without text; removes images without text, and data URLs. */
export function resolveLinks(document: Document, absolute: (href: string) => string | undefined): void {
  for (const image of document.querySelectorAll('img')) {
    const src = absolute(image.getAttribute('src') ?? '')
    if (src === undefined || !image.getAttribute('alt')?.trim()) image.remove()
    else image.setAttribute('src', src)
  }
  for (const link of document.querySelectorAll('a[href]')) {
    const href = absolute(link.getAttribute('href') ?? '')
    if (href === undefined || !hasContent(link)) link.removeAttribute('href')
    else link.setAttribute('href', href)
  }
}

/** Whether there is anything to click on. */
function hasContent(link: Element): boolean {
  return Boolean(link.textContent?.trim()) || link.querySelector('img') !== null
}

/** The absolute form of a URL; undefined for one that has none. */
export function absoluteUrl(href: string, base?: string): string | undefined {
  if (!URL.canParse(href, base)) return undefined
  const { protocol, href: resolved } = new URL(href, base)
  return protocol === 'http:' || protocol === 'https:' || protocol === 'mailto:' ? resolved : undefined
}

/** Removes invisible and control characters, and repeated empty lines. */
export function tidy(text: string): string {
  return (
    text
      .replaceAll(/\r\n?/g, '\n')
      // oxlint-disable-next-line no-control-regex -- they are what is taken out
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufeff]/g, '')
      .replaceAll(/[ \t]+$/gm, '')
      .replaceAll(/\n{3,}/g, '\n\n')
      .trim()
      .toWellFormed()
  )
}

/** More characters are missing than there are beyond ASCII. */
function isGarbled(text: string): boolean {
  const missing = text.match(/\ufffd/g)?.length ?? 0
  // oxlint-disable-next-line no-control-regex -- the characters of ASCII
  return missing > 0 && missing > (text.match(/[^\u0000-\u007f\ufffd]/g)?.length ?? 0)
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    // The last character may be incomplete.
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    return true
  } catch {
    return false
  }
}
