// Chats of `useChat` as conversations of muxi: what their messages ask for, and the messages that there are.
import type { Static } from '@sinclair/typebox'
import type { ConversationSchema, MessagePageSchema, MessageSchema } from '../../contracts/schemas/conversations.ts'
import { type CallOptions, type Http, newKey } from '../http.ts'
import type { Attachment, ChatRequest } from '../types.ts'

/** A part of a message of the `ai` package, as far as it is read here. */
export interface UiPart {
  type: string
  state?: string | undefined
  text?: string | undefined
  url?: string | undefined
  mediaType?: string | undefined
  filename?: string | undefined
  approval?: { id: string; approved?: boolean | undefined; reason?: string | undefined } | undefined
}

/** A message of the `ai` package. */
export interface UiMessage {
  id: string
  role: 'system' | 'user' | 'assistant'
  metadata?: unknown
  parts: readonly UiPart[]
}

interface LoadedCall {
  type: 'dynamic-tool'
  toolName: string
  toolCallId: string
  input: unknown
  providerExecuted: true
}

/** A message as it is loaded: what `useChat` takes as `messages`. */
export interface LoadedMessage {
  id: string
  role: 'user' | 'assistant'
  metadata: { turn_id: string; created_at: string }
  parts: (
    | { type: 'text'; text: string; state: 'done' }
    | { type: 'file'; url: string; mediaType: string; filename: string }
    | (LoadedCall & { state: 'output-available'; output: unknown })
    | (LoadedCall & { state: 'output-error'; errorText: string })
  )[]
}

export interface UiThreadsOptions {
  /** Without it the orchestrator chooses. */
  agentName?: string | undefined
  userId?: string | undefined
}

interface Asked extends Pick<CallOptions, 'headers'> {
  chatId: string
  trigger: 'submit-message' | 'regenerate-message'
  messageId: string | undefined
  messages: readonly UiMessage[]
  body?: object | undefined
}

/** What goes with every request of a call of the page. */
type Call = Pick<CallOptions, 'headers'>

type Stored = Static<typeof MessageSchema>

/** Messages that are looked at; the page may load earlier ones itself. */
const LIMIT = 100
/** Characters of an idempotency key. */
const LONGEST_KEY = 255
const ENDED = ['completed', 'failed', 'cancelled']

export class UiThreads {
  readonly #http: Http
  readonly #options: UiThreadsOptions
  /** Of conversations, by the ids of chats. */
  readonly #ids = new Map<string, string>()
  /** Turns that were begun here, by the ids that the page gave to the messages. */
  readonly #turns = new Map<string, string>()
  /** What a page has not seen the end of, by the ids of chats. */
  readonly #unfinished = new Map<string, string>()

  constructor(http: Http, options: UiThreadsOptions) {
    this.#http = http
    this.#options = options
  }

  /** What the last message asks for. */
  async request({
    chatId,
    trigger,
    messageId,
    messages,
    body,
    headers,
  }: Asked): Promise<{ path: string; request: ChatRequest; idempotencyKey?: string | undefined }> {
    const last = messages.at(-1)!
    const { agentName, userId } = this.#options
    const { on_busy, response_schema } = (body ?? {}) as Pick<ChatRequest, 'on_busy' | 'response_schema'>
    const text = last.parts.filter(({ type }) => type === 'text').map((part) => part.text ?? '')
    const attachments = last.parts.filter(({ type }) => type === 'file').map(attachedPart)
    const conversation_id = await this.#ensure(chatId, { headers })
    const isChange = trigger === 'regenerate-message' || messageId === last.id
    const replaces = isChange ? await this.#storedId(conversation_id, chatId, last, { headers }) : undefined
    const request = {
      content: text.join('\n\n'),
      conversation_id,
      ...(userId !== undefined && { user_id: userId }),
      ...(attachments.length > 0 && { attachments }),
      ...(response_schema && { response_schema }),
      // The reply that is replaced is not waited for.
      ...(replaces === undefined ? on_busy && { on_busy } : { replaces, on_busy: on_busy ?? ('interrupt' as const) }),
    }
    const path = `${agentName === undefined ? '' : `/agents/${encodeURIComponent(agentName)}`}/chat/stream`
    // A message that is sent twice is answered once.
    return { path, request, ...(!isChange && { idempotencyKey: await keyOf(conversation_id, last.id) }) }
  }

  /** A turn runs, which began with a message of the page or is resumed. */
  began(chatId: string, turnId: string, messageId?: string): void {
    if (messageId !== undefined) this.#turns.set(`${chatId} ${messageId}`, turnId)
    this.#unfinished.set(chatId, turnId)
  }

  /** The page has seen the end of what runs. */
  ended(chatId: string): void {
    this.#unfinished.delete(chatId)
  }

  /** The messages of a chat, oldest first. Of a turn that runs there is the user's message only. */
  async load(chatId: string): Promise<LoadedMessage[]> {
    const id = await this.#find(chatId)
    if (id === undefined) return []
    const stored = await this.#messages(id)
    const running = runningOf(stored)
    if (running === undefined) this.ended(chatId)
    else this.began(chatId, running)
    const turns = new Map(stored.map(({ turn_id, turn }) => [turn_id, turn] as const).filter(([, turn]) => turn))
    return stored.map((message) => loaded(message, turns.get(message.turn_id)))
  }

  /** The turn that the page has not seen the end of, or one that runs. */
  async findRunning(chatId: string, call: Call = {}): Promise<string | undefined> {
    const known = this.#unfinished.get(chatId)
    if (known !== undefined) return known
    const id = await this.#find(chatId, call)
    return id === undefined ? undefined : runningOf(await this.#messages(id, call))
  }

  async #find(chatId: string, call: Call = {}): Promise<string | undefined> {
    const known = this.#ids.get(chatId)
    if (known !== undefined) return known
    const { agentName: agent_id = 'auto', userId: user_id } = this.#options
    const query = { external_id: chatId, agent_id, user_id }
    const { conversations } = await this.#http.json<{ conversations: { id: string }[] }>('GET', '/conversations', {
      ...call,
      query,
    })
    const id = conversations[0]?.id
    if (id !== undefined) this.#ids.set(chatId, id)
    return id
  }

  async #ensure(chatId: string, call: Call): Promise<string> {
    const known = this.#ids.get(chatId)
    if (known !== undefined) return known
    const { agentName: agent_id, userId: user_id } = this.#options
    const { id } = await this.#http.json<Static<typeof ConversationSchema>>('POST', '/conversations', {
      ...call,
      json: { external_id: chatId, agent_id, user_id },
      idempotencyKey: newKey(),
    })
    this.#ids.set(chatId, id)
    return id
  }

  /** The newest messages, oldest first. */
  async #messages(conversationId: string, call: Call = {}): Promise<Stored[]> {
    const query = { limit: LIMIT, include: 'turns' }
    const page = await this.#http.json<Static<typeof MessagePageSchema>>(
      'GET',
      `/conversations/${conversationId}/messages`,
      { ...call, query },
    )
    return page.messages.reverse()
  }

  /** The id of a message of the user as it is stored: the page may have given it another one. */
  async #storedId(
    conversationId: string,
    chatId: string,
    { id, parts }: UiMessage,
    call: Call,
  ): Promise<string | undefined> {
    const stored = (await this.#messages(conversationId, call)).filter(({ role }) => role === 'user').reverse()
    const turnId = this.#turns.get(`${chatId} ${id}`)
    const text = parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n\n')
    const same =
      stored.find((each) => each.id === id) ??
      stored.find(({ turn_id }) => turn_id === turnId) ??
      stored.find(({ content }) => content === text)
    return same?.id
  }
}

/** The key of a message: the same for the same ids, however long they are and of whatever characters. */
async function keyOf(conversationId: string, messageId: string): Promise<string | undefined> {
  const key = `ui ${conversationId} ${encodeURIComponent(messageId)}`
  if (key.length <= LONGEST_KEY) return key
  // Pages over plain HTTP do not have it; a key that is cut could be that of another message.
  const subtle = crypto.subtle as SubtleCrypto | undefined
  const hash = await subtle?.digest('SHA-256', new TextEncoder().encode(messageId))
  if (!hash) return undefined
  const bytes = Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0'))
  return `ui ${conversationId} ${bytes.join('')}`
}

/** The oldest turn that has not ended. */
function runningOf(messages: readonly Stored[]): string | undefined {
  return messages.find(({ turn }) => turn && !ENDED.includes(turn.status))?.turn_id
}

function loaded({ id, role, turn_id, created_at, content, attachments }: Stored, turn: Stored['turn']): LoadedMessage {
  const files = attachments.map(({ name, media_type, file_id = '' }) => ({
    type: 'file' as const,
    url: `/api/v1/files/${file_id}/content`,
    mediaType: media_type,
    filename: name,
  }))
  const calls = role === 'assistant' ? (turn?.tool_calls ?? []) : []
  const tools = calls.map(({ id: toolCallId, name: toolName, parameters: input, output, is_error }) => {
    const call = { type: 'dynamic-tool', toolName, toolCallId, input, providerExecuted: true } as const
    if (!is_error) return { ...call, state: 'output-available' as const, output }
    const errorText = typeof output === 'string' ? output : JSON.stringify(output)
    return { ...call, state: 'output-error' as const, errorText }
  })
  const text = content === '' ? [] : [{ type: 'text' as const, text: content, state: 'done' as const }]
  return { id, role, metadata: { turn_id, created_at }, parts: [...files, ...tools, ...text] }
}

function attachedPart({ url = '', mediaType, filename }: UiPart): Attachment {
  const named = { type: mediaType || 'application/octet-stream', name: (filename || 'file').slice(0, 255) }
  const [, file_id] = /\/files\/(file_[A-Za-z0-9]+)(?:\/content)?$/.exec(url) ?? []
  if (file_id !== undefined) return { ...named, file_id }
  const [, head, data] = /^data:([^,]*),(.*)$/s.exec(url) ?? []
  if (data === undefined)
    throw new TypeError("Cannot attach the file: its 'url' must be a data URL, or that of an uploaded file")
  if (/;base64$/i.test(head!)) return { ...named, data }
  const bytes = new TextEncoder().encode(decodeURIComponent(data))
  return { ...named, data: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')) }
}
