// The request of a message, the same over HTTP and a socket.
import type { AttachOptions, Attachments } from '../files/attachments.ts'
import type { Http } from '../http.ts'
import type { ChatRequest } from '../types.ts'

export interface MessageOptions extends Attachments {
  /** Without it the orchestrator chooses. */
  agentName?: string | undefined
  userId?: string | undefined
  conversationId?: string | undefined
  responseSchema?: Record<string, unknown> | undefined
  /** An earlier message of the user, which this one takes the place of. */
  replaces?: string | undefined
  onBusy?: ChatRequest['on_busy']
}

/** The body of a chat request, once what is attached was read or uploaded. */
export async function requestOf(
  http: Http,
  text: string,
  options: MessageOptions & Pick<AttachOptions, 'signal' | 'headers' | 'idempotencyKey'>,
): Promise<ChatRequest> {
  const { userId, conversationId, responseSchema, replaces, onBusy } = options
  const { images, audio, files, attachments: given } = options
  // Only who attaches something loads what reads files.
  const attachments =
    (images ?? audio ?? files ?? given) &&
    (await (await import('../files/attachments.ts')).attachmentsOf(http, options, options))
  return {
    content: text,
    ...(userId !== undefined && { user_id: userId }),
    ...(conversationId !== undefined && { conversation_id: conversationId }),
    ...(attachments && { attachments }),
    ...(responseSchema && { response_schema: responseSchema }),
    ...(replaces !== undefined && { replaces }),
    ...(onBusy && { on_busy: onBusy }),
  }
}
