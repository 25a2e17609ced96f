// The hash that detects a repeated message.
import { canonicalJson } from '../../contracts/json.ts'
import type { CarriedRequest } from '../../contracts/schemas/carried-request.ts'
import type { ChatRequest } from '../../contracts/schemas/chat.ts'

/** Equal for the same message to the same agent, independent of the order of keys. Attachments are hashed off the event loop. */
export async function bodyHash(agentId: string, request: ChatRequest, carried?: CarriedRequest): Promise<string> {
  const attachments: unknown[] = []
  for (const attachment of request.attachments ?? [])
    attachments.push('data' in attachment ? { ...attachment, data: await sha256(attachment.data) } : attachment)
  return sha256(canonicalJson([agentId, { ...request, attachments }, ...(carried ? [carried] : [])]))
}

async function sha256(text: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('hex')
}
