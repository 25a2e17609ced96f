// Headers that every answer has, unless its route says otherwise.

/** A year, as browsers ask for. */
const HSTS = 'max-age=31536000'
/** What a key or a session opens is in no cache. */
const PRIVATE = /^\/(api|v1|mcp|codec|sign-in|oauth)(\/|$)/
/** The Temporal UI has its own policy. */
const FOREIGN = /^\/temporal(\/|$)/

/** @param path of the request @param encrypted whether muxi itself serves HTTPS */
export function securityHeaders(path: string, encrypted: boolean): Record<string, string> {
  return {
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    ...(!FOREIGN.test(path) && {
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'x-frame-options': 'DENY',
    }),
    ...(PRIVATE.test(path) && { 'cache-control': 'no-store' }),
    ...(encrypted && { 'strict-transport-security': HSTS }),
  }
}
