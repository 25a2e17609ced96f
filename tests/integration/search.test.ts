// The search server, asked by the SDK's client over standard input and output and over HTTP, on both runtimes; services and pages on loopback.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { fetchPage } from '../../mcp/servers/fetch-page.ts'
import { readPage } from '../../mcp/servers/read-page.ts'
import { readService, searchWeb } from '../../mcp/servers/web-search.ts'
import { urlGuard, type UrlGuard } from '../../net/url-guard.ts'
import { ROOT, type Runtime, startChild } from '../support/children.ts'
import { type LocalWeb, startLocalWeb } from '../support/search-services.ts'
import { tempDir } from '../support/temp-dir.ts'

const SCRIPT = 'mcp/servers/search.ts'
const KEY = 'planted-4c7d1e90b2a35f68'
const PROGRAMS: Record<Runtime, [string, string[]]> = {
  node: [`${ROOT}node_modules/node/bin/node`, []],
  deno: [`${ROOT}cli/deno/node_modules/deno/deno`, ['run', '-A', '--node-modules-dir=manual']],
}
let web: LocalWeb
let guard: UrlGuard
const endings: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  web = await startLocalWeb()
  guard = urlGuard({ allow_private: true })
})
afterEach(async () => {
  web.instead.clear()
  web.asked.splice(0)
  for (const end of endings.splice(0).toReversed()) await end()
})
afterAll(async () => {
  await guard.close()
  await web.close()
})

const never = new AbortController().signal
const environments = (): Record<string, Record<string, string>> => ({
  searxng: { SEARXNG_BASE_URL: `${web.url}/` },
  brave: { BRAVE_API_KEY: KEY, BRAVE_BASE_URL: web.url },
  tavily: { TAVILY_API_KEY: KEY, TAVILY_BASE_URL: `${web.url}/tavily` },
})
const search = (provider: string, more: { freshness?: 'week'; max_results?: number } = {}) =>
  searchWeb(readService(environments()[provider]!), { query: 'good pumps', max_results: 5, ...more }, guard, never)

describe('searchWeb()', () => {
  it('sends each service its request format, and parses its response leniently', async () => {
    expect(await search('searxng', { freshness: 'week' })).toEqual([
      { title: 'Pumps', url: 'https://pumps.test/', snippet: 'All about pumps', published: '2026-11-01T00:00:00' },
      { title: 'https://untitled.test/', url: 'https://untitled.test/', snippet: '' },
      { title: 'Third', url: 'https://third.test/', snippet: expect.stringMatching(/^x{1499}…$/) },
    ])
    expect(await search('brave', { freshness: 'week' })).toEqual([
      { title: 'Pumps & more', url: 'https://pumps.test/', snippet: 'About pumps', published: '3 days ago' },
      { title: 'Second', url: 'https://second.test/', snippet: 'More' },
    ])
    expect(await search('tavily', { max_results: 1 })).toHaveLength(1)
    const [searxng, brave, tavily] = web.asked
    expect(searxng?.path).toBe('/search?q=good+pumps&format=json&time_range=week')
    expect(brave?.path).toBe('/res/v1/web/search?q=good+pumps&count=5&text_decorations=false&freshness=pw')
    expect(brave?.headers['x-subscription-token']).toBe(KEY)
    expect([tavily?.method, tavily?.headers.authorization]).toEqual(['POST', `Bearer ${KEY}`])
    expect(JSON.parse(tavily?.body ?? '')).toEqual({ query: 'good pumps', max_results: 1 })
  })

  it.each([
    [
      'brave',
      429,
      { 'retry-after': '31' },
      '{}',
      'it takes no more questions for now (429); it may be asked again in 31 s',
    ],
    ['tavily', 401, {}, '{"detail":{"error":"no"}}', 'Tavily refuses the key in TAVILY_API_KEY (401)'],
    ['tavily', 400, {}, `{"detail":{"error":"bad query for ${KEY}"}}`, 'it answered 400: bad query for [secret]'],
    ['searxng', 403, {}, '<html>', "it answered 403: its settings must allow the format 'json' (search.formats)"],
    [
      'searxng',
      302,
      { location: 'http://elsewhere.test/' },
      '',
      'it sends elsewhere (302); SEARXNG_BASE_URL must be its final address',
    ],
    ['brave', 200, {}, '<html>', 'it did not answer with JSON'],
    ['tavily', 200, {}, '{"results":7}', 'its answer holds no results that can be read'],
    ['searxng', 200, {}, `"${'x'.repeat(2_100_000)}"`, 'its answer is longer than 2000000 bytes'],
  ] as const)('tells what %s means by %i %j', async (provider, status, headers, body, why) => {
    const path = { brave: '/res/v1/web/search', tavily: '/tavily/search', searxng: '/search' }[provider]
    web.instead.set(path, { status, headers, body })
    const error = await search(provider).catch((each: Error) => each)
    expect(error).toBeInstanceOf(Error)
    expect((error as Error).message).toMatch(/^Cannot search the web with \w+: /)
    expect((error as Error).message).toContain(why)
    expect((error as Error).message).not.toContain(KEY)
  })

  it('finds nothing when a service omits its results', async () => {
    web.instead.set('/res/v1/web/search', { status: 200, body: '{"type":"search"}' })
    expect(await search('brave')).toEqual([])
  })

  it('reports missing and invalid settings', async () => {
    await expect(searchWeb(readService({}), { query: 'x', max_results: 1 }, guard, never)).rejects.toThrow(
      'one of SEARXNG_BASE_URL, BRAVE_API_KEY or TAVILY_API_KEY must be set',
    )
    expect(
      readService({ ...environments()['brave'], ...environments()['tavily'], SEARCH_PROVIDER: 'tavily' })?.name,
    ).toBe('tavily')
    expect(() => readService({ SEARCH_PROVIDER: 'bing' })).toThrow("must be one of searxng, brave, tavily, got 'bing'")
    expect(() => readService({ SEARCH_PROVIDER: 'brave' })).toThrow("'BRAVE_API_KEY' must be set")
    expect(() => readService({ SEARXNG_BASE_URL: 'http://me:secret@x.test' })).toThrow(/^((?!secret).)*$/)
  })
})

const read = async (path: string, limits = { time_ms: 5_000, max_bytes: 1_000_000 }) => {
  const source = await fetchPage(web.url + path, guard, limits, never)
  return { ...readPage(source), url: source.url, is_cut: source.is_cut, size: source.bytes.length }
}

describe('fetchPage() and readPage()', () => {
  it('return the content as Markdown, with tables, code and absolute links', async () => {
    const { title, text, url } = await read('/moved')
    expect([title, url]).toEqual(['Pumps & pipes', `${web.url}/docs/pumps/`])
    expect(text).toContain(`See [more](${web.url}/docs/more?a=1#b) or this.`)
    expect(text).toContain(
      'What they move\n\n| Kind | Litres \\| minute |\n| --- | --- |\n| small | 12 |\n| large |  |',
    )
    expect(text).toContain('```sh\npump --start\n```')
    expect(text).toContain(`![A pump](${web.url}/p.png)`)
    for (const absent of ['hidden', 'About us', '© nobody', 'javascript', 'base64']) expect(text).not.toContain(absent)
  })

  it.each([
    ['/latin', 'Grüße, café'],
    ['/undeclared', '“café”'],
    ['/nonsense-charset', 'Grüße'],
    ['/shift-jis', '日本語'],
    ['/utf-16', 'Grüße'],
    ['/data.json', '{"pumps": [1, 2]}'],
    ['/notes.md', '# Notes\n\n- one'],
    ['/untyped', 'Typed by its **bytes**'],
    ['/empty', ''],
  ])('read %s', async (path, text) => expect((await read(path)).text).toBe(text))

  it.each([
    ['/file.pdf', 'it is a PDF'],
    ['/hidden-pdf', 'it is a PDF'],
    ['/video', 'it must be HTML, text or JSON, got video/mp4'],
    ['/binary', 'it is not text'],
    ['/gone', 'its server answered 404'],
    ['/busy', 'its server answered 503; it may be asked again in 17 s'],
    ['/to-metadata', "Cannot reach '169.254.169.254': it must be on the public internet, got a link-local address"],
    ['/to-file', 'Cannot read the page'],
    ['/loop', 'Cannot read the page'],
    ['/broken-gzip', 'the connection broke'],
    ['/deep', 'nested too deeply'],
  ])('refuse %s', async (path, why) => expect(read(path)).rejects.toThrow(why))

  it('read within their limits of endless or highly compressed responses', async () => {
    for (const path of ['/endless', '/bomb']) {
      const before = process.memoryUsage.rss()
      expect(await read(path)).toMatchObject({ is_cut: true, size: 1_000_000 })
      expect(process.memoryUsage.rss() - before).toBeLessThan(300_000_000)
    }
  })

  it('time out', async () => {
    await expect(read('/slow', { time_ms: 300, max_bytes: 1_000 })).rejects.toThrow('it took longer than 0.3 s')
    const stopped = new AbortController()
    const reading = fetchPage(`${web.url}/slow`, guard, { time_ms: 60_000, max_bytes: 1_000_000 }, stopped.signal)
    await expect.poll(() => web.asked.length).toBe(2)
    stopped.abort(new Error('stopped'))
    await expect(reading).rejects.toThrow('stopped')
  })
})

async function overStdio(runtime: Runtime, env: Record<string, string>): Promise<Client> {
  const [command, flags] = PROGRAMS[runtime]
  const client = new Client({ name: 'test', version: '1' })
  endings.push(() => client.close())
  await client.connect(new StdioClientTransport({ command, args: [...flags, `${ROOT}${SCRIPT}`], env }))
  return client
}

for (const runtime of ['node', 'deno'] as const) {
  describe(`on ${runtime}`, () => {
    it('searches and reads over standard input and output, part by part', async () => {
      const client = await overStdio(runtime, { ...environments()['brave'], MUXI_ALLOW_PRIVATE_URLS: 'yes' })
      const { tools } = await client.listTools()
      expect(tools.map(({ name }) => name)).toEqual(['web_search', 'read_page'])
      expect(
        await client.callTool({ name: 'web_search', arguments: { query: 'pumps', max_results: 1 } }),
      ).toMatchObject({
        structuredContent: { results: [{ url: 'https://pumps.test/' }] },
        content: [{ type: 'text', text: '1. Pumps & more (3 days ago)\n   https://pumps.test/\n   About pumps' }],
      })
      const url = `${web.url}/long.txt`
      let text = ''
      let start: number | undefined = 0
      web.asked.splice(0)
      while (start !== undefined) {
        const { structuredContent } = await client.callTool({
          name: 'read_page',
          arguments: { url, start, max_characters: 9_000 },
        })
        const part = structuredContent as { text: string; next_start?: number }
        text += part.text
        start = part.next_start
      }
      expect(text).toBe(Array.from({ length: 2_000 }, (_, index) => `Line ${index} 🙂`).join('\n'))
      expect(web.asked).toHaveLength(1)
    })

    it('refuses loopback unless that is allowed, and says what to set, over HTTP', async () => {
      const child = startChild({ script: SCRIPT, args: ['--http', '--port', '0'], env: {}, cwd: tempDir(), runtime })
      endings.push(() => child.kill())
      const [, url = ''] = await child.says(/listens on (\S+)\n/)
      const client = new Client({ name: 'test', version: '1' })
      endings.push(() => client.close())
      await client.connect(new StreamableHTTPClientTransport(new URL(url)))
      const page = await client.callTool({ name: 'read_page', arguments: { url: `${web.url}/docs/pumps/` } })
      expect(page).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining('got a loopback address') }],
      })
      const found = await client.callTool({ name: 'web_search', arguments: { query: 'pumps' } })
      expect(found).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('must be set') }] })
      expect(web.asked).toEqual([])
      await client.close()
      expect(await child.stop()).toBe(0)
    })

    it('exits with a message for invalid settings', async () => {
      const child = startChild({ script: SCRIPT, env: { SEARCH_PROVIDER: 'bing' }, cwd: tempDir(), runtime })
      endings.push(() => child.kill())
      expect(await child.ended).toBe(1)
      expect(child.stderr()).toContain(
        "muxi-search: Cannot start: 'SEARCH_PROVIDER' must be one of searxng, brave, tavily",
      )
    })
  })
}
