// How a call to an MCP server, or the connection to one, can fail.

/**
 * `unsent`: the server never took the request, so that asking again does no harm. `lost`: the connection broke while it was at work.
 * `timeout`: it did not answer in time. `answered`: it answered with an error, or with something that cannot be used.
 * `sign_in`: it refused the request because nobody has signed in, or because that gives too few rights.
 */
export type McpFailureKind = 'unsent' | 'lost' | 'timeout' | 'answered' | 'sign_in'

/** What a server says when it wants a sign-in. */
export interface Challenge {
  status: 401 | 403
  /** Where it describes itself. */
  resource_metadata?: string
  scope?: string
}

interface Details {
  status?: number | undefined
  challenge?: Challenge
  cause?: unknown
}

/** The message is a sentence for people and models; it may quote the server, never a credential. */
export class McpFailure extends Error {
  override readonly name = 'McpFailure'
  readonly kind: McpFailureKind
  /** What the server answered on HTTP, when that was the failure. */
  readonly status: number | undefined
  /** Of a `sign_in`. */
  readonly challenge: Challenge | undefined

  constructor(kind: McpFailureKind, message: string, { status, challenge, cause }: Details = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.kind = kind
    this.status = status
    this.challenge = challenge
  }
}
