// The web page and its files.
import { readFileSync } from 'node:fs'
import { Elysia } from 'elysia'

const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/app.js': ['app.js', 'text/javascript; charset=utf-8'],
  '/app.css': ['app.css', 'text/css; charset=utf-8'],
} as const

const HEADERS = {
  'content-security-policy':
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
}

export function webRoutes() {
  const app = new Elysia({ detail: { hide: true } })
  for (const [path, [file, type]] of Object.entries(FILES)) {
    const content = readFileSync(new URL(`../../web/${file}`, import.meta.url))
    app.get(path, () => new Response(content, { headers: { 'content-type': type, ...HEADERS } }))
  }
  return app
}
