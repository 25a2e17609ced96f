// Requests that are answered as if they had another method.

/**
 * Changes the method of a request, which keeps everything else, its body included; a copy would lose what the server knows of it.
 */
export function asMethod(request: Request, method: string): Request {
  // A property of its own, in place of the one that it inherits.
  return Object.defineProperty(request, 'method', { value: method, configurable: true })
}

const heads = new WeakSet<Request>()

/** Whether a request that is answered as one of GET was sent as HEAD: for a route whose headers differ. */
export function isHead(request: Request): boolean {
  return heads.has(request)
}

/**
 * Answers HEAD as GET, so that every check of GET applies, without the body, of which nothing more is read.
 * @param answerGet answers the request as one of GET
 */
export async function answerHead(
  request: Request,
  answerGet: (request: Request) => Promise<Response>,
): Promise<Response> {
  // A range is one of GET (RFC 9110, 14.2).
  request.headers.delete('range')
  heads.add(request)
  const { status, headers, body } = await answerGet(asMethod(request, 'GET'))
  await body?.cancel()
  return new Response(null, { status, headers })
}
