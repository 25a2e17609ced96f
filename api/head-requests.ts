// HEAD requests: answered as GET, so that every check of GET applies, and without reading a stream to its end.

/** Of what GET answers, everything but the body. */
export async function answerHead(
  request: Request,
  answerGet: (request: Request) => Promise<Response>,
): Promise<Response> {
  // A range is one of GET (RFC 9110, 14.2).
  request.headers.delete('range')
  // A property of its own, in place of the one that it inherits: a copy would lose what the server knows of the request.
  const { status, headers, body } = await answerGet(Object.defineProperty(request, 'method', { value: 'GET' }))
  await body?.cancel()
  return new Response(null, { status, headers })
}
