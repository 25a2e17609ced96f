// What a test's server does with a failure while it reads a request.
import type { IncomingMessage } from 'node:http'

/** Ignores the failure of a request whose client was killed; throws any other. */
export function unlessAborted(request: IncomingMessage): (error: unknown) => void {
  return (error) => {
    if (!request.destroyed || request.complete) throw error
  }
}
