// Pictures that a request names by URL: fetched through the guard of outgoing URLs, bounded in size and time.
import { wrongField } from '../../contracts/failures.ts'
import { UrlRefused } from '../../contracts/url-refused.ts'
import type { ApiContext } from '../services/context.ts'

/** Time limit of one picture, in milliseconds. */
const FETCH_MS = 20_000

/** @returns the bytes in base64 @throws MuxiError bad_request, or the signal's reason */
export async function fetchMedia(
  { mcp, limits }: Pick<ApiContext, 'mcp' | 'limits'>,
  url: string,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  const wrong = (expected: string) => wrongField('read the request', path, expected)
  const pieces: Uint8Array[] = []
  let size = 0
  try {
    const response = await mcp.fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(FETCH_MS)]) })
    if (!response.ok) {
      void response.body?.cancel()
      throw wrong(`a URL that can be fetched: it answered ${response.status}`)
    }
    for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      size += piece.byteLength
      if (size > limits.chat_body_bytes) throw wrong(`a file of at most ${limits.chat_body_bytes} bytes`)
      pieces.push(piece)
    }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof UrlRefused) throw wrong('a URL that the server may fetch')
    if (error instanceof Error && error.name === 'MuxiError') throw error
    throw wrong('a URL that can be fetched')
  }
  if (size === 0) throw wrong('a URL of a picture: it answered nothing')
  return Buffer.concat(pieces).toString('base64')
}
