// Pictures that a request names by URL: fetched through the guard of outgoing URLs, bounded in size and time.
import { MuxiError, wrongField } from '../../contracts/failures.ts'
import { UrlRefused } from '../../contracts/url-refused.ts'
import type { ApiContext } from '../services/context.ts'

const READING = 'read the request'

/**
 * The bytes of a picture.
 * @param path the field of its URL, for the error
 * @param most bytes that it may have: what the other pictures of the request leave
 * @param signal of the client @param deadline of all pictures of the request
 * @throws MuxiError bad_request, payload_too_large, or the signal's reason
 */
export async function fetchMedia(
  { mcp, limits }: Pick<ApiContext, 'mcp' | 'limits'>,
  url: string,
  path: string,
  { most, signal, deadline }: { most: number; signal: AbortSignal; deadline: AbortSignal },
): Promise<Buffer> {
  const wrong = (expected: string) => wrongField(READING, path, expected)
  const pieces: Uint8Array[] = []
  let size = 0
  try {
    const response = await mcp.fetch(url, { signal: AbortSignal.any([signal, deadline]) })
    if (!response.ok) {
      void response.body?.cancel()
      throw wrong(`a URL that can be fetched: it answered ${response.status}`)
    }
    for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      size += piece.byteLength
      if (size > most) {
        throw new MuxiError(
          'payload_too_large',
          `Cannot take the request: what its URLs name must together be at most ${limits.chat_body_bytes} bytes`,
        )
      }
      pieces.push(piece)
    }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof UrlRefused) throw wrong('a URL that the server may fetch')
    if (error instanceof Error && error.name === 'MuxiError') throw error
    throw wrong(deadline.aborted ? 'a URL that can be fetched in time' : 'a URL that can be fetched')
  }
  if (size === 0) throw wrong('a URL of a picture: it answered nothing')
  return Buffer.concat(pieces, size)
}
