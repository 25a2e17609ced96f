// What people would read of a page, as Markdown: decoded as its server, its marks or its bytes say, without what stands around it.
import { Readability } from '@mozilla/readability'
import sniffEncoding from 'html-encoding-sniffer'
import { parseHTML } from 'linkedom'
import { toMarkdown } from './to-markdown.ts'

export interface PageSource {
  /** After redirects. */
  url: string
  kind: 'html' | 'text'
  /** As its server named it. */
  charset?: string
  bytes: Uint8Array
  /** Whether only its beginning is here. */
  is_cut: boolean
}

export interface Page {
  title: string
  /** Markdown for HTML, else as it is. */
  text: string
}

/** An article that is shorter than this, and than so much of its page, is probably not what the page is about. */
const SHORT_ARTICLE = 500
const SMALL_PART = 0.2
const MAX_DEPTH = 500
/** Longest title, in characters. */
const MAX_TITLE = 300
/** Nothing to read in these. */
const UNREAD =
  'script, style, template, iframe, object, embed, svg, canvas, link, meta, dialog, [hidden], [aria-hidden="true"]'
const AROUND =
  'nav, header, footer, aside, form, [role="navigation"], [role="banner"], [role="contentinfo"], [role="search"]'

/** @throws when the page cannot be understood at all */
export function readPage(source: PageSource): Page {
  const text = decode(source)
  if (source.kind === 'text') return { title: '', text: tidy(text) }
  try {
    return readHtml(text, source.url)
  } catch (error) {
    if (error instanceof RangeError)
      throw new Error('Cannot read the page: its elements are nested too deeply', { cause: error })
    throw error
  }
}

/** By its byte order mark, its server, its own words, then by its bytes. */
function decode({ bytes, charset, kind }: PageSource): string {
  const undeclared = isUtf8(bytes) ? 'UTF-8' : 'windows-1252'
  const encoding = sniffEncoding(bytes, {
    ...(charset !== undefined && { transportLayerEncodingLabel: charset }),
    defaultEncoding: undeclared,
    // Text has no place in which it could name one.
    ...(kind === 'text' && { maxPrescanBytes: 0 }),
  })
  try {
    return new TextDecoder(encoding).decode(bytes)
  } catch {
    // An encoding that the standard keeps from being used.
    return new TextDecoder(undeclared).decode(bytes)
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    // The last character may be cut in two.
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    return true
  } catch {
    return false
  }
}

function readHtml(html: string, url: string): Page {
  const { document } = parseHTML(/<(?:html|body)\b/i.test(html) ? html : `<html><body>${html}</body></html>`)
  if (isDeeperThan(MAX_DEPTH, document.documentElement)) throw new RangeError('nested too deeply')
  const ownTitle = document.querySelector('title')?.textContent ?? ''
  resolveLinks(document, url)
  for (const element of document.querySelectorAll(UNREAD)) element.remove()
  const { body } = document
  const whole = (body.textContent ?? '').trim().length
  // It changes the document that it is given.
  const copy = document.cloneNode(true) as Document
  const article = new Readability<Element>(copy, { keepClasses: true, serializer: (node) => node as Element }).parse()
  const found = article?.textContent?.trim().length ?? 0
  const isArticle = article?.content && (found >= SHORT_ARTICLE || found >= whole * SMALL_PART)
  if (!isArticle) for (const element of body.querySelectorAll(AROUND)) element.remove()
  const markdown = toMarkdown(isArticle ? article.content! : body)
  return { title: oneLine(article?.title || ownTitle), text: tidy(markdown) }
}

/** What comes after calls itself for each level. */
function isDeeperThan(limit: number, root: Element): boolean {
  let depth = 0
  let at: Element | null = root
  while (at) {
    if (at.firstElementChild) {
      at = at.firstElementChild
      depth += 1
      if (depth > limit) return true
      continue
    }
    while (at && at !== root && !at.nextElementSibling) {
      at = at.parentElement
      depth -= 1
    }
    at = at === root ? null : (at?.nextElementSibling ?? null)
  }
  return false
}

/** Links lead somewhere from everywhere; pictures that say nothing, and data inside the page, are left out. */
function resolveLinks(document: Document, url: string): void {
  const base = absolute(document.querySelector('base')?.getAttribute('href') ?? '', url) ?? url
  for (const link of document.querySelectorAll('a[href]')) {
    const href = absolute(link.getAttribute('href') ?? '', base)
    if (href === undefined || href.startsWith(`${url}#`)) link.removeAttribute('href')
    else link.setAttribute('href', href)
  }
  for (const image of document.querySelectorAll('img')) {
    const src = absolute(image.getAttribute('src') ?? '', base)
    if (src === undefined || !image.getAttribute('alt')?.trim()) image.remove()
    else image.setAttribute('src', src)
  }
}

function absolute(href: string, base: string): string | undefined {
  if (!URL.canParse(href, base)) return undefined
  const { protocol, href: resolved } = new URL(href, base)
  return protocol === 'http:' || protocol === 'https:' || protocol === 'mailto:' ? resolved : undefined
}

/** Without what no reader sees and no transport likes, and with at most one empty line between two others. */
function tidy(text: string): string {
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

function oneLine(text: string): string {
  return tidy(text).replaceAll(/\s+/g, ' ').slice(0, MAX_TITLE).toWellFormed()
}
