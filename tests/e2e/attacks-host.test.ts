// What a web page open on the same machine can reach of the Temporal server that comes with muxi.
import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { listeningPorts } from '../support/listening-ports.ts'
import { openStage, type Product, type Stage } from '../support/stage.ts'
import { isClosedToBrowsers } from '../../temporal-config/server-ports.ts'
import { keeps } from './requirements.ts'

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const found = existsSync(CHROMIUM)
if (!found) console.log(`one test of attacks-host.test.ts is skipped: there is no browser at ${CHROMIUM} (set CHROMIUM)`)

/** What the UI asks its server, and what would terminate a workflow. */
const PATHS = [
  ['GET', '/api/v1/namespaces'],
  ['GET', '/api/v1/namespaces/default/workflows'],
  ['POST', '/api/v1/namespaces/default/workflows/x/terminate'],
] as const

describe('a web page on the same machine', () => {
  let stage: Stage
  let product: Product
  let uiPort: number

  beforeAll(async () => {
    stage = await openStage({ withoutTemporal: true })
    product = await stage.startProduct({ port: await freePort() })
    uiPort = listeningPorts(stage.serverPids()[0]!).find(isClosedToBrowsers)!
  })
  afterAll(() => stage.close())

  it(keeps('attack.temporal-ports', 'gets nothing from any port of the Temporal server by DNS rebinding'), async () => {
    const ports = listeningPorts(stage.serverPids()[0]!)
    expect(ports.length).toBeGreaterThan(4)
    expect(ports.filter(isClosedToBrowsers)).toEqual([uiPort])
    for (const port of ports.filter((each) => each !== uiPort)) {
      for (const [method, path] of PATHS) {
        for (const prefix of ['', '/temporal']) {
          const answer = await rebound(port, method, `${prefix}${path}`)
          expect.soft([403, 404, 'no HTTP'], `port ${port} ${method} ${prefix}${path}`).toContain(answer)
        }
      }
    }
    expect(await rebound(Number(new URL(product.url).port), 'GET', '/temporal/api/v1/namespaces')).toBe(403)
  })

  it.skipIf(!found)(
    keeps('attack.temporal-browser', 'cannot have a browser connect to the UI itself, under any name'),
    async () => {
      let browser: Browser | undefined
      try {
        browser = await chromium.launch({
          executablePath: CHROMIUM,
          args: ['--no-sandbox', '--no-proxy-server', '--host-resolver-rules=MAP evil.example 127.0.0.1'],
        })
        for (const host of ['evil.example', '127.0.0.1', 'localhost']) {
          const page = await browser.newPage()
          await expect(page.goto(`http://${host}:${uiPort}/api/v1/namespaces`)).rejects.toThrow('ERR_UNSAFE_PORT')
        }
        const page = await browser.newPage()
        // The rule works: the name leads here, and our own API refuses it.
        const answer = await page.goto(`http://evil.example:${new URL(product.url).port}/healthz`)
        expect(answer?.status()).toBe(403)
        const outcome = await page.evaluate(
          (url) => fetch(url, { mode: 'no-cors' }).then(String, String),
          `http://evil.example:${uiPort}/`,
        )
        expect(outcome).toBe('TypeError: Failed to fetch')
      } finally {
        await browser?.close()
      }
    },
  )

  it(keeps('attack.temporal-scopes', 'and a key without admin cannot read or end workflows at our address'), async () => {
    const { body: made } = await stage.call(product.url, '/api/v1/keys', {
      body: { name: 'manager', scopes: ['chat', 'read', 'manage'] },
    })
    const [manager, admin] = [await signIn(made.key), await signIn(stage.key)]
    const terminate = '/temporal/api/v1/namespaces/default/workflows/none/terminate'
    const send = (cookie: string, path: string, init: RequestInit = {}) =>
      fetch(`${product.url}${path}`, { ...init, headers: { cookie, ...init.headers } }).then(({ status }) => status)
    for (const path of ['/temporal', '/temporal/api/v1/namespaces', terminate]) {
      for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
        expect.soft(await send('', path, { method }), `${method} ${path}`).toBe(401)
        expect.soft(await send(manager, path, { method }), `${method} ${path}`).toBe(403)
      }
    }
    expect(await send(admin, '/temporal/api/v1/namespaces')).toBe(200)
    expect(await send(admin, terminate, { method: 'POST', headers: { origin: 'http://evil.example' } })).toBe(403)
  })

  async function signIn(key: string): Promise<string> {
    const { body } = await stage.call(product.url, '/api/v1/ws/tickets', { method: 'POST', key })
    const url = `${product.url}/sign-in?${new URLSearchParams({ ticket: body.ticket })}`
    const answer = await fetch(url, { redirect: 'manual' })
    return answer.headers.getSetCookie()[0]!.split(';')[0]!
  }
})

/** A request as a browser sends it after the page's name was pointed here. @returns its status */
function rebound(port: number, method: string, path: string): Promise<number | string | undefined> {
  return new Promise((resolve) => {
    request({ host: '127.0.0.1', port, method, path, headers: { host: `evil.example:${port}` }, timeout: 5_000 })
      .on('response', (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
      .on('timeout', function (this: { destroy: () => void }) {
        this.destroy()
      })
      .on('error', () => resolve('no HTTP'))
      .end()
  })
}
