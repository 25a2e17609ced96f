// A fetch that shows a token, and a newer one when the first is refused; when no token is good enough, somebody has to sign in.
import { extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js'
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js'
import { McpFailure, type Challenge } from './failure.ts'

/** The tokens of one person (or of nobody in particular) for one server. */
export interface TokenSource {
  /** One that is good now, as far as is known; undefined before anybody has signed in. */
  current(signal: AbortSignal): Promise<string | undefined>
  /** One in place of a token that the server has refused; undefined when somebody has to sign in. */
  renewed(refused: string, signal: AbortSignal): Promise<string | undefined>
}

/** @param onRefused is told when no token is good enough: not every transport passes on what a fetch throws */
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
