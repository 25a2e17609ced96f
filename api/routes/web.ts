// The web page and its files.
import { readdirSync, readFileSync } from 'node:fs'
import { Elysia } from 'elysia'
import { StaticFile } from '../static-file.ts'

const FOLDER = new URL('../../web/', import.meta.url)
const TYPES: readonly (readonly [ending: string, type: string])[] = [
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
]

const HEADERS = {
  'content-security-policy':
    // WebSockets to the same origin are of `'self'` (CSP 3).
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
}

export function webRoutes() {
  const app = new Elysia({ detail: { hide: true } })
  for (const file of readdirSync(FOLDER)) {
    const type = TYPES.find(([ending]) => file.endsWith(ending))?.[1]
    if (type === undefined) continue
    const content = readFileSync(new URL(file, FOLDER))
    const path = file === 'index.html' ? '/' : `/${file.replace(/\.html$/, '')}`
    const served = new StaticFile(content, { 'content-type': type, ...HEADERS })
    app.get(path, ({ request }) => served.answer(request.headers))
  }
  return app
}
