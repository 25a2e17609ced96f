// A fetch with a bearer token, which is refreshed when it is refused; when no token is accepted, a sign-in is required.
import { extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js'
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'
import { McpFailure, type Challenge } from './failure.ts'

/** The tokens of one user (or of the connection itself) for one server. */
export interface TokenSource {
  /** The current token, not known to be expired; undefined before a sign-in. */
  current(signal: AbortSignal): Promise<string | undefined>
  /** A replacement for a token that the server refused; undefined when a sign-in is required. */
  renewed(refused: string, signal: AbortSignal): Promise<string | undefined>
}

/** @param onRefused is called when no token is accepted: not every transport propagates errors of fetch */
export function authorizedFetch(
  fetch: FetchLike,
  source: TokenSource,
  onRefused: (failure: McpFailure) => void,
): FetchLike {
  return async (url, init = {}) => {
    const signal = init.signal ?? new AbortController().signal
    const send = (token: string | undefined) => {
      const headers = new Headers(init.headers)
      if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
      return fetch(url, { ...init, headers })
    }
    const token = await source.current(signal)
    let response = await send(token)
    if (response.status === 401 && token !== undefined) {
      const newer = await source.renewed(token, signal)
      if (newer !== undefined) {
        await response.body?.cancel()
        response = await send(newer)
      }
    }
    const challenge = challengeOf(response)
    if (!challenge) return response
    await response.body?.cancel()
    const why = challenge.status === 401 ? 'it wants a sign-in' : 'it wants a sign-in with more rights'
    const failure = new McpFailure('sign_in', why, { status: challenge.status, challenge })
    onRefused(failure)
    throw failure
  }
}

function challengeOf(response: Response): Challenge | undefined {
  if (response.status !== 401 && response.status !== 403) return undefined
  const { resourceMetadataUrl, scope, error } = extractWWWAuthenticateParams(response)
  if (response.status === 403 && error !== 'insufficient_scope') return undefined
  return {
    status: response.status,
    ...(resourceMetadataUrl && { resource_metadata: resourceMetadataUrl.href }),
    ...(scope !== undefined && { scope }),
  }
}
