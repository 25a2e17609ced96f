// The parts of a MIME mail in their order: bodies, alternatives of a body, and attached files.
import type { Notice } from '../../../contracts/notices.ts'
import { type DecodedText, decodeMarkup, decodePlain } from './mail-text.ts'

/** A node of the tree that postal-mime builds. */
export interface MimeNode {
  childNodes: MimeNode[]
  contentType: { parsed: Header }
  contentDisposition: { parsed: Header }
  contentId?: string
  headers: { key: string; value: string }[]
  content: ArrayBuffer | null
  decodeFlowedText(text: string, deletesSpaces: boolean): string
}

interface Header {
  value: string
  params: Record<string, string | undefined>
}

/** One part of the body, or the forms of one, from the plainest to the richest. */
export type Body = { text: string } | { html: string } | { alternatives: Body[][] }

/** An attached file, not yet with a unique name. */
export interface AttachedPart {
  name: string
  type: string
  bytes: Uint8Array
}

export interface MailParts {
  bodies: Body[]
  attached: AttachedPart[]
  notices: Notice[]
}

const SIGNATURE = /\/(?:pgp|(?:x-)?pkcs7)-signature$/
/** Parts of a saved web page that have no text. */
const LAYOUT = /^(?:text\/css|(?:text|application)\/(?:x-)?javascript|font\/.*|application\/(?:x-)?font.*)$/
/** Other forms of a body that stands beside them. */
const OTHER_FORM = /^(?:text\/(?:watch-html|x-amp-html|enriched|richtext|rtf)|application\/rtf)$/
/** Text about the mail. */
const TEXTUAL =
  /^(?:text\/(?:plain|rfc822-headers|enriched|richtext)|message\/(?:\w+-)?(?:delivery-status|disposition-notification))$/

/** @param nameOf the name of an attached file that has none, from its number, its type and its bytes */
export function partsOf(
  root: MimeNode,
  nameOf: (number: number, type: string, bytes: Uint8Array) => string,
): MailParts {
  const attached: AttachedPart[] = []
  const notices: Notice[] = []

  function read(node: MimeNode, inAlternative: boolean, isRelated: boolean): Body[] {
    const type = node.contentType.parsed.value
    if (type === 'multipart/encrypted') {
      notices.push(note('unreadable', 'An encrypted part of the mail is not read'))
      return []
    }
    if (type === 'multipart/alternative') {
      const forms = node.childNodes.map((child) => read(child, true, isRelated)).filter((form) => form.length > 0)
      return forms.length > 1 ? [{ alternatives: forms }] : forms.flat()
    }
    if (type.startsWith('multipart/')) {
      const related = isRelated || type === 'multipart/related'
      const within = node.childNodes.flatMap((child) => read(child, inAlternative, related))
      return node.childNodes.length > 0 ? within : leaf(node, 'text/plain')
    }
    if (inAlternative && OTHER_FORM.test(type)) return []
    if (isRelated && type.startsWith('image/') && !isAttachment(node)) {
      notices.push(note('left_out', 'Pictures shown in the body of a mail are not read'))
      return []
    }
    const isLayout = isRelated && LAYOUT.test(type) && !isAttachment(node)
    return isLayout || SIGNATURE.test(type) ? [] : leaf(node, type)
  }

  function leaf(node: MimeNode, type: string): Body[] {
    if (!node.content) return []
    const bytes = new Uint8Array(node.content)
    const { charset } = node.contentType.parsed.params
    const isHtml = type === 'text/html' || type === 'application/xhtml+xml'
    if (!isAttachment(node) && (isHtml || TEXTUAL.test(type))) {
      const decoded = isHtml ? decodeMarkup(bytes, charset) : decodePlain(bytes, charset)
      if (decoded.isGuess) notices.push(note('uncertain', 'The character set of a part of the mail was guessed'))
      const text = unfolded(node, decoded)
      if (text.trim() === '') return []
      return isHtml ? [{ html: text }] : [{ text }]
    }
    const number = attached.length + 1
    attached.push({ name: fileName(node) ?? nameOf(number, type, bytes), type, bytes })
    return []
  }

  return { bodies: read(root, false, false), attached, notices }
}

function isAttachment(node: MimeNode): boolean {
  return node.contentDisposition.parsed.value === 'attachment'
}

function fileName(node: MimeNode): string | undefined {
  const { filename } = node.contentDisposition.parsed.params
  const location = node.headers.find(({ key }) => key === 'content-location')?.value ?? ''
  // Saved web pages have addresses instead.
  const [, last] = /([^/?#]+\.\w+)(?:[?#].*)?$/.exec(location) ?? []
  return filename || node.contentType.parsed.params['name'] || last || undefined
}

function unfolded(node: MimeNode, { text }: DecodedText): string {
  const { format = '', delsp = '' } = node.contentType.parsed.params
  return /^flowed$/i.test(format) ? node.decodeFlowedText(text, /^yes$/i.test(delsp)) : text
}

function note(code: Notice['code'], message: string): Notice {
  return { code, message, count: 1 }
}
