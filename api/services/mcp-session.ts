// Sessions of MCP clients: the negotiated state is encrypted in the session id, so that every process can continue it.
import { MuxiError } from '../../contracts/failures.ts'
import type { Principal } from '../../db/queries/keys.ts'
import type { SecretBox } from '../../db/secret-box.ts'

const SEALED_AS = 'mcp session'
const SESSION_MS = 30 * 86_400_000

export interface McpSession {
  id: string
  /** Whether the client supports elicitation. */
  elicits: boolean
}

/** @returns the id of a new session for this key */
export function beginMcpSession(box: SecretBox, { key_id }: Principal, elicits: boolean): string {
  return box.seal(SEALED_AS, JSON.stringify([key_id, Date.now() + SESSION_MS, elicits]))
}

/**
 * @throws MuxiError `not_found`, for an expired or invalid session or one of another key; the client then starts a new
 * session
 */
export function getMcpSessionOrThrow(box: SecretBox, { key_id }: Principal, id: string): McpSession {
  const [owner, until, elicits] = open(box, id)
  if (owner === key_id && until > Date.now()) return { id, elicits }
  throw new MuxiError('not_found', "Cannot go on: 'Mcp-Session-Id' must be that of a session which has not ended")
}

function open(box: SecretBox, id: string): [owner: string | undefined, until: number, elicits: boolean] {
  try {
    return JSON.parse(box.open(SEALED_AS, id)) as [string, number, boolean]
  } catch {
    return [undefined, 0, false]
  }
}
