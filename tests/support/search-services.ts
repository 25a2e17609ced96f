// The three search services on the wire, and pages as the web has them, all on loopback: what they are asked is kept.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { unlessAborted } from './unless-aborted.ts'

export interface Asked {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: string
}

export interface LocalWeb {
  url: string
  asked: Asked[]
  /** What the services answer from now on, instead of results: by path. */
  instead: Map<string, { status: number; headers?: Record<string, string>; body: string }>
  close: () => Promise<void>
}

const FOUND = {
  '/search': {
    query: 'pumps',
    results: [
      {
        title: 'Pumps',
        url: 'https://pumps.test/',
        content: 'All\n about pumps',
        publishedDate: '2026-11-01T00:00:00',
        engine: 'x',
        score: 1,
      },
      { title: null, url: 'https://untitled.test/', content: 7 },
      { title: 'Not a page', url: 'javascript:alert(1)', content: '' },
      { title: 'Third', url: 'https://third.test/', content: 'x'.repeat(5_000) },
    ],
    unresponsive_engines: [],
  },
  '/res/v1/web/search': {
    type: 'search',
    web: {
      results: [
        {
          title: 'Pumps &amp; more',
          url: 'https://pumps.test/',
          description: 'About <strong>pumps</strong>',
          age: '3 days ago',
        },
        { title: 'Second', url: 'https://second.test/', description: 'More' },
      ],
    },
  },
  '/tavily/search': {
    query: 'pumps',
    answer: null,
    results: [{ title: 'Pumps', url: 'https://pumps.test/', content: 'About pumps', score: 0.98, raw_content: null }],
  },
} as const satisfies Record<string, unknown>

const WORDS = 'A pump moves a liquid, and a good one moves it for years. '
export const ARTICLE = `<!doctype html><html><head><title>Pumps &amp; pipes</title><script>var hidden = 1</script></head><body>
<nav><a href="/">Home</a><a href="/about">About us</a></nav>
<article><h1>Pumps and pipes</h1><p>${WORDS.repeat(12)}See <a href="../more?a=1#b">more</a> or <a href="javascript:alert(1)">this</a>.</p>
<h2>Kinds</h2><table><caption>What they move</caption><tr><th>Kind</th><th>Litres | minute</th></tr><tr><td>small</td><td>12</td></tr><tr><td colspan="2">large</td></tr></table>
<pre><code class="language-sh">pump --start</code></pre><p>${WORDS.repeat(12)}<img src="/p.png" alt="A pump"><img src="data:image/png;base64,AAAA"></p></article>
<footer>© nobody</footer></body></html>`

/** Starts it on a free port. */
export async function startLocalWeb(): Promise<LocalWeb> {
  const asked: Asked[] = []
  const instead: LocalWeb['instead'] = new Map()
  const server = createServer((request, response) => {
    void bodyOf(request)
      .then((body) => {
        const { method = '', url: path = '', headers } = request
        asked.push({ method, path, headers, body })
        const name = path.split('?')[0]!
        const other = instead.get(name)
        if (other) return void response.writeHead(other.status, other.headers).end(other.body)
        const found = Object.entries(FOUND).find(([each]) => each === name)?.[1]
        if (found)
          return void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(found))
        const page = PAGES[name]
        if (page) return void page(response)
        response.writeHead(404, { 'content-type': 'text/html' }).end('<p>Nothing here</p>')
      })
      .catch(unlessAborted(request))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    instead,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const send =
  (type: string, body: string | Uint8Array, headers: Record<string, string> = {}, status = 200) =>
  (response: ServerResponse) =>
    void response.writeHead(status, { ...(type && { 'content-type': type }), ...headers }).end(body)
const redirect = (location: string) => send('', '', { location }, 302)

const PAGES: Record<string, (response: ServerResponse) => unknown> = {
  '/docs/pumps/': send('text/html; charset=utf-8', ARTICLE),
  '/latin': send('text/html', Buffer.from('<meta charset="iso-8859-1"><p>Gr\xfc\xdfe, caf\xe9</p>', 'latin1')),
  '/undeclared': send('text/html', Buffer.from('<p>\x93caf\xe9\x94</p>', 'latin1')),
  '/nonsense-charset': send('text/html; charset=klingon', '<p>Grüße</p>'),
  '/shift-jis': send('text/html; charset=Shift_JIS', Buffer.from('3c703e93fa967b8cea3c2f703e', 'hex')),
  '/utf-16': send('text/plain', Buffer.from('\ufeffGrüße', 'utf16le')),
  '/long.txt': send('text/plain', Array.from({ length: 2_000 }, (_, index) => `Line ${index} 🙂`).join('\n')),
  '/data.json': send('application/json', '{"pumps": [1, 2]}'),
  '/notes.md': send('text/markdown', '# Notes\n\n- one'),
  '/file.pdf': send('application/pdf', '%PDF-1.7'),
  '/hidden-pdf': send('text/html', '%PDF-1.7 …'),
  '/video': send('video/mp4', 'x'),
  '/binary': send('text/plain', Buffer.from([1, 0, 2, 0, 3])),
  '/untyped': send('', '<!doctype html><p>Typed by its <b>bytes</b></p>'),
  '/empty': send('text/html', ''),
  '/moved': redirect('/docs/pumps/'),
  '/to-metadata': redirect('http://169.254.169.254/latest/meta-data/'),
  '/to-file': redirect('file:///etc/passwd'),
  '/loop': redirect('/loop'),
  '/busy': send('text/html', 'later', { 'retry-after': '17' }, 503),
  // Made when it is asked for: a hundred megabytes out of a hundred thousand bytes.
  '/bomb': (response) =>
    send('text/plain', gzipSync(Buffer.alloc(100_000_000, 'boom ')), { 'content-encoding': 'gzip' })(response),
  '/broken-gzip': send('text/html', 'not gzip', { 'content-encoding': 'gzip' }),
  '/deep': send('text/html', `${'<div>'.repeat(5_000)}x`),
  '/endless': async (response) => {
    response.writeHead(200, { 'content-type': 'text/plain' })
    const line = 'and so on '.repeat(1_000)
    while (!response.destroyed) {
      if (!response.write(line)) await delay(1)
    }
  },
  '/slow': async (response) => {
    response.writeHead(200, { 'content-type': 'text/html' })
    while (!response.destroyed) {
      response.write('.')
      await delay(200)
    }
  },
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
