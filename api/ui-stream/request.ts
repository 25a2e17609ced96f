// What a request of useChat asks for: of the messages that it repeats only the last one is new.
import { createHash } from 'node:crypto'
import { wrongField } from '../../contracts/failures.ts'
import type { AttachmentInput } from '../../contracts/schemas/chat.ts'
import type { UiChatRequest, UiMessage } from '../../contracts/schemas/ui-stream.ts'

/** A message of the user. */
export interface UiSubmission {
  kind: 'message'
  /** The client's id of the message. */
  client_id: string
  content: string
  attachments: AttachmentInput[]
  /** `edit`: another text of the same message; `regenerate`: another reply to it. */
  change: 'new' | 'edit' | 'regenerate'
  /** Of `regenerate`: the reply that is replaced, when the client names it. */
  reply_id: string | undefined
}

/** Decisions on what a turn waits for. */
export interface UiAnswers {
  kind: 'answers'
  /** The reply that they belong to. */
  reply_id: string
  /** All approvals that the client has been asked for. */
  known: Set<string>
  decisions: { id: string; approved: boolean; reason?: string }[]
}

/** @throws MuxiError bad_request */
export function readUiRequest({
  messages,
  trigger = 'submit-message',
  messageId,
}: UiChatRequest): UiSubmission | UiAnswers {
  const last = messages.at(-1)!
  const named = messageId === undefined ? last : (messages.findLast(({ id }) => id === messageId) ?? last)
  if (trigger === 'submit-message' && named.role === 'assistant') return answersOf(named)
  if (last.role !== 'user') throw wrong(messages.length - 1, 'role', "'user', unless it has the answers to approvals")
  const { content, attachments } = contentOf(last, messages.length - 1)
  const change = trigger === 'regenerate-message' ? 'regenerate' : messageId === last.id ? 'edit' : 'new'
  const reply_id = change === 'regenerate' && messageId !== last.id ? messageId : undefined
  return { kind: 'message', client_id: last.id, content, attachments, change, reply_id }
}

/** The key that makes a repeated request the same turn. @param replaces the message that is replaced: another one for each change */
export function idempotencyKeyOf({ client_id, change }: UiSubmission, replaces: string | undefined): string {
  return `ui ${createHash('sha256')
    .update(JSON.stringify([change, client_id, replaces ?? null]))
    .digest('hex')}`
}

function answersOf({ id, parts }: UiMessage): UiAnswers {
  const known = new Set<string>()
  const decisions: UiAnswers['decisions'] = []
  for (const part of parts) {
    const { approval, state } = part as {
      approval?: { id?: unknown; approved?: unknown; reason?: unknown }
      state?: unknown
    }
    if (typeof approval?.id !== 'string') continue
    known.add(approval.id)
    if (state !== 'approval-responded' || typeof approval.approved !== 'boolean') continue
    const reason = typeof approval.reason === 'string' ? { reason: approval.reason } : {}
    decisions.push({ id: approval.id, approved: approval.approved, ...reason })
  }
  return { kind: 'answers', reply_id: id, known, decisions }
}

function contentOf({ parts }: UiMessage, index: number): { content: string; attachments: AttachmentInput[] } {
  const texts: string[] = []
  const attachments: AttachmentInput[] = []
  for (const [place, part] of parts.entries()) {
    const { type, text, url, mediaType, filename } = part as Record<string, unknown>
    if (type === 'text' && typeof text === 'string') texts.push(text)
    if (type === 'file') attachments.push(attachmentOf({ url, mediaType, filename }, `${index}.parts.${place}`))
  }
  return { content: texts.join('\n\n'), attachments }
}

function attachmentOf(file: { url: unknown; mediaType: unknown; filename: unknown }, place: string): AttachmentInput {
  const { url, mediaType, filename } = file
  const name = typeof filename === 'string' && filename !== '' ? filename.slice(0, 255) : 'file'
  const type = typeof mediaType === 'string' && mediaType !== '' ? mediaType.slice(0, 128) : 'application/octet-stream'
  const uploaded = typeof url === 'string' ? /\/files\/(file_[A-Za-z0-9]{1,64})(\/content)?$/.exec(url) : undefined
  if (uploaded?.[1] !== undefined) return { type, name, file_id: uploaded[1] }
  const comma = typeof url === 'string' && url.startsWith('data:') ? url.indexOf(',') : -1
  if (typeof url !== 'string' || comma < 0) throw wrong(place, 'url', 'a data URL, or that of an uploaded file')
  const data = url.slice(comma + 1)
  if (/;base64$/i.test(url.slice(0, comma))) return { type, name, data }
  return { type, name, data: Buffer.from(percentDecoded(data, place)).toString('base64') }
}

function percentDecoded(text: string, place: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw wrong(place, 'url', 'a data URL, or that of an uploaded file')
  }
}

function wrong(place: number | string, field: string, expected: string) {
  return wrongField('read the message', `messages.${place}.${field}`, expected)
}
