// The client in Chromium: on a page and in a web worker, where `window` and the file system are missing.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { keeps } from '../e2e/requirements.ts'
import { bundlePage } from '../support/bundle-page.ts'
import { ROOT } from '../support/children.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { ARGUMENTS, CHROMIUM, hasChromium } from '../support/use-chat-page.ts'

if (!hasChromium) console.log('browser.test.ts is skipped (set CHROMIUM to a browser)')

const CODE = '/client.js'
const HTML = `<!doctype html><title>Client</title><script type="module" src="${CODE}"></script>`
const ENTRY = join(ROOT, 'tests/client/browser-program.js')
/** What a reply is over each connection, and an upload in pieces. */
const PROGRAM = `import { muxi } from '@muxi/client'
async function run({ serverUrl, apiKey, texts }) {
  const app = muxi({ serverUrl, apiKey })
  const agentName = 'scripted'
  const reply = String(await app.chat(texts[0], { agentName }))
  let streamed = ''
  for await (const event of app.chat(texts[1], { agentName, stream: true })) streamed += event
  const socket = app.openSocket()
  const files = [new File(['Tea is grown in Assam.'], 'tea.txt')]
  const overSocket = await socket.sendMessage(texts[2], { agentName, files }).text()
  await socket.close()
  const { size } = await app.files.create(new Blob([new Uint8Array(9 * 2 ** 20)]), { name: 'large.bin' })
  return { reply, streamed, overSocket, size, isWorker: typeof window === 'undefined' }
}
globalThis.run = run
globalThis.onmessage = async ({ data }) => {
  if (typeof window === 'undefined') postMessage(await run(data).catch((error) => String(error)))
}
`

describe.skipIf(!hasChromium)('in Chromium', () => {
  let stage: Stage
  let muxi: Muxi
  let browser: Browser
  /** Another origin than the server's. */
  let site: string
  beforeAll(async () => {
    stage = await openStage()
    muxi = await stage.start('all')
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS })
    const code = await bundlePage(ENTRY, { [ENTRY]: PROGRAM })
    const server = createServer(({ url }, response) => {
      const isCode = url === CODE
      response.setHeader('content-type', isCode ? 'text/javascript' : 'text/html').end(isCode ? code : HTML)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    site = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    return async () => {
      await browser.close()
      server.close()
      await stage.close()
    }
  })

  it.each(['page', 'worker'] as const)(
    keeps('client.browser', 'replies, streams, sockets and uploads in a %s'),
    async (where) => {
      const texts = [1, 2, 3].map((number) => stage.model.script({ say: `Reply ${number}.` }))
      const given = { serverUrl: muxi.url, apiKey: stage.key, texts }
      const page = await browser.newPage()
      await page.goto(site, { waitUntil: 'load' })
      const seen = await page.evaluate(RUN[where], given)
      expect(seen).toEqual({
        reply: 'Reply 1.',
        streamed: 'Reply 2.',
        overSocket: 'Reply 3.',
        size: 9 * 2 ** 20,
        isWorker: where === 'worker',
      })
      await page.close()
      await stage.check()
    },
  )
})

type Given = { serverUrl: string; apiKey: string; texts: string[] }

/** Functions of the page. */
const RUN = {
  page: (given: Given): Promise<unknown> =>
    (globalThis as unknown as { run(given: Given): Promise<unknown> }).run(given),
  worker: (given: Given): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const worker = new Worker('/client.js', { type: 'module' })
      worker.addEventListener('message', ({ data }) => resolve(data))
      worker.addEventListener('error', ({ message }) => reject(new Error(message)))
      worker.postMessage(given)
    }),
}
