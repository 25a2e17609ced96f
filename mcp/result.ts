// What a server answered to a call, part by part, for a model: text, and pictures that are still to be checked. Nothing of it makes
// the call fail: a part that cannot be read is named in its place.
import { canonicalJson, isObject, tryParse } from '../contracts/json.ts'
import { shorten } from '../contracts/shorten.ts'
import { splitBase64 } from './base64.ts'
import { isMissing, kindOf } from './values.ts'

/** Fields of a result that the model does not get. */
const NOT_TOLD = ['_meta', 'isError', 'content', 'structuredContent', 'resultType']

/** Bytes of a picture as the server sent them: nothing of it is checked. */
export interface AnsweredPicture {
  /** What it is called in the text for the model. */
  label: string
  /** As the server declares it. */
  media_type: string
  bytes: Buffer
}

export interface ToolAnswer {
  /** In order. */
  parts: (string | AnsweredPicture)[]
  is_error: boolean
}

export function readAnswer(result: Record<string, unknown>): ToolAnswer {
  const { content, structuredContent, isError } = result
  const blocks: ToolAnswer['parts'][] = listOf(content).map(readPart)
  if (!isMissing(structuredContent) && !isToldBy(structuredContent, listOf(content)))
    blocks.push(readText(jsonOf(structuredContent)))
  const others = Object.entries(result).filter(([name]) => !NOT_TOLD.includes(name))
  if (isMissing(content) && isMissing(structuredContent)) {
    blocks.push(
      others.length === 0
        ? ['[The server answered without content.]']
        : ["[The result must have 'content', got:]\n", ...readText(jsonOf(Object.fromEntries(others)))],
    )
  }
  const is_error = isError === true || isError === 'true' || isError === 1
  return { parts: blocks.flatMap((block, index) => (index === 0 ? block : ['\n\n', ...block])), is_error }
}

/** The answer as text, with each picture named in its place. */
export function textOfAnswer({ parts }: ToolAnswer): string {
  return parts.map((part) => (typeof part === 'string' ? part : `[${part.label}]`)).join('')
}

/** The content as a list: some servers send one part, or only its text. */
function listOf(content: unknown): unknown[] {
  return isMissing(content) ? [] : Array.isArray(content) ? content : [content]
}

function readPart(part: unknown, index: number): ToolAnswer['parts'] {
  const fault = (text: string) => [`[Part ${index + 1} of the result cannot be read: ${text}]`]
  if (typeof part === 'string') return readText(part)
  if (!isObject(part)) return fault(`it must be an object, got ${kindOf(part)}`)
  const { type, text } = part
  switch (type) {
    case 'text':
      if (typeof text === 'string') return readText(text)
      return isMissing(text) ? fault(`its 'text' must be a string, got ${kindOf(text)}`) : readText(jsonOf(text))
    case 'image':
    case 'audio':
      return readData(type, part, fault)
    case 'resource_link':
      return [
        `[resource: ${wordsOf([part['name'], part['title'], part['uri'], part['mimeType'], part['description']])}]`,
      ]
    case 'resource':
      return readResource(part['resource'], fault)
    default:
      if (typeof text === 'string' && isMissing(type)) return readText(text)
      return [
        `[Part ${index + 1} of the result has a type that is not known, ${kindOrText(type)}:]\n`,
        ...readText(jsonOf(part)),
      ]
  }
}

function readData(
  type: string,
  { data, mimeType, source }: Record<string, unknown>,
  fault: (text: string) => string[],
): ToolAnswer['parts'] {
  // The form of Anthropic's API.
  const given = isObject(source) ? { data: source['data'], mimeType: source['media_type'] } : { data, mimeType }
  const media_type = typeof given.mimeType === 'string' ? given.mimeType : ''
  if (typeof given.data !== 'string') return fault(`its 'data' must be base64, got ${kindOf(given.data)}`)
  return readBytes(given.data, media_type, type) ?? fault(`its 'data' must be base64, got other text`)
}

function readResource(resource: unknown, fault: (text: string) => string[]): ToolAnswer['parts'] {
  if (!isObject(resource)) return fault(`its 'resource' must be an object, got ${kindOf(resource)}`)
  const { uri, text, blob, mimeType } = resource
  const address = typeof uri === 'string' ? shorten(uri) : '(no address)'
  const label = `resource ${address}`
  if (typeof text === 'string') return [`[resource: ${address}]\n`, ...readText(text)]
  if (typeof blob !== 'string')
    return fault(`its 'resource' must have a 'text' or a 'blob', got ${kindOf(blob ?? text)}`)
  const media_type = typeof mimeType === 'string' ? mimeType : ''
  return readBytes(blob, media_type, label) ?? fault(`its 'blob' must be base64, got other text`)
}

/** A picture, or a note about other bytes. @returns undefined for what is no base64 */
function readBytes(base64: string, declared: string, label: string): ToolAnswer['parts'] | undefined {
  const uri = /^data:([^,]*?);base64,/i.exec(base64.slice(0, 200))
  const digits = base64.slice(uri?.[0].length ?? 0).replaceAll(/\s/g, '')
  if (!isBase64(digits)) return undefined
  const bytes = Buffer.from(digits, 'base64')
  const media_type = normalized(declared || (uri?.[1] ?? ''))
  if (isPicture(media_type, bytes) || label === 'image')
    return [{ label: `${label}: ${media_type || 'no media type'}, ${bytes.length} bytes`, media_type, bytes }]
  return [`[${label}: ${media_type || 'application/octet-stream'}, ${bytes.length} bytes, not shown]`]
}

/** Text without base64: pictures in it become pictures, anything else a note. */
function readText(text: string): ToolAnswer['parts'] {
  return [...splitBase64(text)].map((piece) => {
    if (typeof piece === 'string') return piece
    const bytes = Buffer.from(piece.base64, 'base64')
    const media_type = normalized(piece.media_type ?? '')
    const label = `image: ${media_type || 'no media type'}, ${bytes.length} bytes`
    if (isPicture(media_type, bytes)) return { label, media_type, bytes }
    return `[${media_type === '' ? '' : `${media_type}, `}${piece.base64.length} characters of base64, left out]`
  })
}

function isPicture(media_type: string, bytes: Buffer): boolean {
  return media_type.startsWith('image/') || PICTURE.test(bytes.toString('latin1', 0, 16))
}

/** How PNG, JPEG, GIF and WebP begin. */
const PICTURE = /^(?:\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP)/s

/** `IMAGE/JPG; charset=binary` is `image/jpeg`. */
function normalized(media_type: string): string {
  const [type = ''] = media_type.toLowerCase().split(';')
  return type
    .trim()
    .replace(/^image\/(?:jpg|pjpeg)$/, 'image/jpeg')
    .replace(/^image\/x-/, 'image/')
}

/** Whether texts of the content say what the structured content says, compared as JSON. */
function isToldBy(structured: unknown, content: unknown[]): boolean {
  const texts = content.flatMap((part) => {
    const text = isObject(part) ? part['text'] : part
    return typeof text === 'string' ? [text] : []
  })
  if (texts.length === 0) return false
  const told = [...texts, texts.join('')].flatMap((text) => [text, tryParse(text)])
  const whole = [...told, texts.map((text) => tryParse(text) ?? text), texts]
    .filter((each) => each !== undefined)
    .map(canonicalJson)
  // Tools without an object as result have it wrapped.
  const isWrapped = isObject(structured) && Object.keys(structured).length === 1 && 'result' in structured
  const forms = isWrapped ? [structured, structured['result']] : [structured]
  return forms.some((form) => whole.includes(canonicalJson(form))) || areIn(valuesOf(structured), texts.join('\n'))
}

/** Whether a text written for people holds every value of the structure. */
function areIn(values: readonly string[], text: string): boolean {
  if (values.length === 0 || values.length > MAX_VALUES) return false
  return values.every((value) => {
    const at = text.indexOf(value)
    return at >= 0 && !WORD.test(text[at - 1] ?? '') && !WORD.test(text[at + value.length] ?? '')
  })
}

/** Structures with more values are not compared with their text. */
const MAX_VALUES = 500
const WORD = /[\p{L}\p{N}]/u

function valuesOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [typeof value === 'string' ? value.trim() : jsonOf(value)]
  return Object.values(value).flatMap(valuesOf)
}

function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/_-]*={0,2}$/.test(text)
}

function jsonOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function wordsOf(values: unknown[]): string {
  return values.filter((value) => typeof value === 'string' && value !== '').join(', ')
}

function kindOrText(value: unknown): string {
  return typeof value === 'string' ? `'${shorten(value)}'` : kindOf(value)
}
