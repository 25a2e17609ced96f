// The main content of a page as Markdown: decoded by HTTP header, byte order mark, meta tag or detection, without navigation.
import { Readability } from '@mozilla/readability'
import { absoluteUrl, decodeHtml, resolveLinks, tidy, UNREAD } from '../../media/document/html.ts'
import { parseHtml } from '../../media/document/html-tree.ts'
import { showParts } from '../../media/document/html-parts.ts'
import { toMarkdown } from '../../media/document/to-markdown.ts'

export interface PageSource {
  /** After redirects. */
  url: string
  kind: 'html' | 'text'
  /** The charset of the HTTP header. */
  charset?: string
  bytes: Uint8Array
  /** Whether the page was cut. */
  is_cut: boolean
}

export interface Page {
  title: string
  /** Markdown for HTML, otherwise unchanged. */
  text: string
}

/** An extracted article below both limits (characters, share of the page) is probably not the main content. */
const SHORT_ARTICLE = 500
const SMALL_PART = 0.2
/** Longest title, in characters. */
const MAX_TITLE = 300
const AROUND =
  'nav, header, footer, aside, form, [role="navigation"], [role="banner"], [role="contentinfo"], [role="search"]'

/** @throws when the page cannot be parsed */
export function readPage(source: PageSource): Page {
  const isPlain = source.kind === 'text'
  const text = decodeHtml(source.bytes, { charset: source.charset, isPlain })
  if (isPlain) return { title: '', text: tidy(text) }
  try {
    return readHtml(text, source.url)
  } catch (error) {
    if (error instanceof RangeError)
      throw new Error('Cannot read the page: its elements are nested too deeply', { cause: error })
    throw error
  }
}

function readHtml(html: string, url: string): Page {
  const document = parseHtml(html)
  const ownTitle = document.querySelector('title')?.textContent ?? ''
  const base = absoluteUrl(document.querySelector('base')?.getAttribute('href') ?? '', url) ?? url
  resolveLinks(document, (href) => {
    const resolved = absoluteUrl(href, base)
    return resolved?.startsWith(`${url}#`) ? undefined : resolved
  })
  showParts(document)
  for (const element of document.querySelectorAll(UNREAD)) element.remove()
  const { body } = document
  const whole = (body.textContent ?? '').trim().length
  // It modifies the given document.
  const copy = document.cloneNode(true) as Document
  const article = new Readability<Element>(copy, { keepClasses: true, serializer: (node) => node as Element }).parse()
  const found = article?.textContent?.trim().length ?? 0
  const isArticle = article?.content && (found >= SHORT_ARTICLE || found >= whole * SMALL_PART)
  if (!isArticle) for (const element of body.querySelectorAll(AROUND)) element.remove()
  const markdown = toMarkdown(isArticle ? article.content! : body)
  return { title: oneLine(article?.title || ownTitle), text: tidy(markdown) }
}

function oneLine(text: string): string {
  return tidy(text).replaceAll(/\s+/g, ' ').slice(0, MAX_TITLE).toWellFormed()
}
