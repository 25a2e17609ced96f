// Pictures, recordings and files of a chat completion's messages: the attachments of its turn.
import { wrongField } from '../../contracts/failures.ts'
import type { CarriedMessage } from '../../contracts/schemas/carried-request.ts'
import type { AttachmentInput } from '../../contracts/schemas/chat.ts'
import type { ChatCompletionMessage } from '../../contracts/schemas/openai-chat.ts'
import type { ApiContext } from '../services/context.ts'
import { fetchMedia } from './fetch-media.ts'

const READING = 'read the request'
/** Time limit of all pictures of a request that are fetched, in milliseconds. */
const FETCH_MS = 30_000
/** Of a conversation that brings more than a turn may have. */
const LEFT_OUT = '[Left out: only the latest attachments are shown.]'

type UserContent = Extract<ChatCompletionMessage, { role: 'user' }>['content']
type UserPart = Exclude<UserContent, string>[number]
type CarriedPart = Extract<CarriedMessage, { role: 'user' }>['parts'][number]

/** Addresses that are fetched. */
const WEB = /^https?:/i

export function fetchesPictures(messages: readonly ChatCompletionMessage[]): boolean {
  return messages.some(
    ({ role, content }) =>
      role === 'user' &&
      typeof content !== 'string' &&
      content.some((part) => part.type === 'image_url' && WEB.test(part.image_url.url)),
  )
}

export class MediaReader {
  readonly attachments: AttachmentInput[] = []
  /** The places in the request of what is checked later, by their places in the message. */
  readonly paths = new Map<string, string>()
  readonly #context: Pick<ApiContext, 'mcp' | 'limits'>
  /** How many of the oldest are left out. */
  #over: number
  /** Bytes that what is fetched may still have. */
  #left: number
  #deadline: AbortSignal | undefined

  constructor(context: Pick<ApiContext, 'mcp' | 'limits'>, messages: readonly ChatCompletionMessage[]) {
    this.#context = context
    this.#left = context.limits.chat_body_bytes
    const parts = messages.flatMap((message) =>
      message.role === 'user' && typeof message.content !== 'string' ? message.content : [],
    )
    this.#over = parts.filter(({ type }) => type !== 'text').length - context.limits.attachments
  }

  async partsOf(content: UserContent, path: string, signal: AbortSignal): Promise<CarriedPart[]> {
    if (typeof content === 'string') return [{ type: 'text', text: content }]
    const parts: CarriedPart[] = []
    for (const [index, part] of content.entries()) {
      if (part.type === 'text') parts.push(part)
      else if (this.#over > 0) {
        this.#over -= 1
        parts.push({ type: 'text', text: LEFT_OUT })
      } else {
        this.attachments.push(await this.#read(part, `${path}.${index}`, signal))
        parts.push({ type: 'attachment', index: this.attachments.length - 1 })
      }
    }
    return parts
  }

  async #read(part: Exclude<UserPart, { type: 'text' }>, path: string, signal: AbortSignal): Promise<AttachmentInput> {
    const number = this.attachments.length + 1
    switch (part.type) {
      case 'image_url': {
        const { url } = part.image_url
        const place = `${path}.image_url.url`
        const data = WEB.test(url)
          ? await this.#fetch(url, place, signal)
          : dataOf(url, place, 'a data URL in base64, or an http or https URL')
        return { type: 'image', name: `image-${number}`, data: this.#placed(data, place) }
      }
      case 'input_audio': {
        const { data, format } = part.input_audio
        const name = `recording-${number}.${format.replaceAll(/[^A-Za-z0-9]/g, '')}`
        const place = `${path}.input_audio.data`
        return { type: 'audio', name, data: this.#placed(checked(data, place), place) }
      }
      case 'file': {
        const { file_data, filename, file_id } = part.file
        const name = filename || `file-${number}`
        if (file_id != null) return { type: 'document', name, file_id }
        if (file_data == null) throw wrongField(READING, `${path}.file`, "with 'file_data' or 'file_id'")
        const place = `${path}.file.file_data`
        const data = file_data.startsWith('data:')
          ? dataOf(file_data, place, 'a data URL in base64')
          : checked(file_data, place)
        return { type: 'document', name, data: this.#placed(data, place) }
      }
    }
  }

  #placed(data: string, place: string): string {
    this.paths.set(`attachments.${this.attachments.length}.data`, place)
    return data
  }

  async #fetch(url: string, path: string, signal: AbortSignal): Promise<string> {
    this.#deadline ??= AbortSignal.timeout(FETCH_MS)
    const bytes = await fetchMedia(this.#context, url, path, { most: this.#left, signal, deadline: this.#deadline })
    this.#left -= bytes.byteLength
    return bytes.toString('base64')
  }
}

function dataOf(url: string, path: string, expected: string): string {
  const [, data] = /^data:[^,]{0,256};base64,(.*)$/is.exec(url) ?? []
  if (data === undefined) throw wrongField(READING, path, expected)
  return checked(data, path)
}

function checked(data: string, path: string): string {
  if (data === '') throw wrongField(READING, path, 'the bytes in base64')
  return data
}
