// How a call to an MCP server, or the connection to one, can fail.

/**
 * `unsent`: the server never took the request, so that asking again does no harm. `lost`: the connection broke while it was at work.
 * `timeout`: it did not answer in time. `answered`: it answered with an error, or with something that cannot be used.
 */
export type McpFailureKind = 'unsent' | 'lost' | 'timeout' | 'answered'

/** The message is a sentence for people and models; it may quote the server, never a credential. */
export class McpFailure extends Error {
  override readonly name = 'McpFailure'
  readonly kind: McpFailureKind
  /** What the server answered on HTTP, when that was the failure. */
  readonly status: number | undefined

  constructor(kind: McpFailureKind, message: string, options: { status?: number | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.kind = kind
    this.status = options.status
  }
}
