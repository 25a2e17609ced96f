// Failures of a call to an MCP server, or of the connection to one.

/**
 * `unsent`: the server never took the request, so a retry is safe. `lost`: the connection broke during the request.
 * `timeout`: it did not answer in time. `answered`: it answered with an error, or with an invalid response.
 * `sign_in`: it refused the request because of a missing sign-in, or missing scopes.
 */
export type McpFailureKind = 'unsent' | 'lost' | 'timeout' | 'answered' | 'sign_in'

/** A server's authentication challenge. */
export interface Challenge {
  status: 401 | 403
  /** URL of its protected resource metadata. */
  resource_metadata?: string
  scope?: string
}

interface Details {
  status?: number | undefined
  challenge?: Challenge
  cause?: unknown
}

/** The message is a sentence for users and models; it may quote the server, never a credential. */
export class McpFailure extends Error {
  override readonly name = 'McpFailure'
  readonly kind: McpFailureKind
  /** The HTTP status, if that was the failure. */
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
