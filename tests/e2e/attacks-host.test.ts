// What comes from the machine itself: a web page in its browser, a disk that is full.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { SecretBox } from '../../db/secret-box.ts'
import { killWithUs, ROOT, startChild } from '../support/children.ts'
import { freePort, temporalPorts } from '../support/free-port.ts'
import { listeningPorts } from '../support/listening-ports.ts'
import { canMount, mountSmallDisk, type SmallDisk } from '../support/small-disk.ts'
import { childrenOf, openStage, type Product, type Stage } from '../support/stage.ts'
import { isClosedToBrowsers, PORTS_CLOSED_TO_BROWSERS } from '../../temporal-config/server-ports.ts'
import { keeps } from './requirements.ts'

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const found = existsSync(CHROMIUM)
if (!found)
  console.log(`one test of attacks-host.test.ts is skipped: there is no browser at ${CHROMIUM} (set CHROMIUM)`)

/** What the UI asks its server, and what would terminate a workflow. */
const PATHS = [
  ['GET', '/api/v1/namespaces'],
  ['GET', '/api/v1/namespaces/default/workflows'],
  ['POST', '/api/v1/namespaces/default/workflows/x/terminate'],
] as const

interface SendOptions {
  method?: string
  headers?: Record<string, string>
}

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
    const asked = ports
      .filter((each) => each !== uiPort)
      .flatMap((port) =>
        PATHS.flatMap(([method, path]) => ['', '/temporal'].map((to) => [port, method, `${to}${path}`] as const)),
      )
    const answers = await Promise.all(asked.map((each) => rebound(...each)))
    for (const [index, answer] of answers.entries())
      expect.soft([403, 404, 'no HTTP'], asked[index]!.join(' ')).toContain(answer)
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
        const hosts = ['evil.example', '127.0.0.1', 'localhost'].map((host) => `${host}:${uiPort}`)
        for (const host of [...hosts, ...PORTS_CLOSED_TO_BROWSERS.map((port) => `evil.example:${port}`)]) {
          const page = await browser.newPage()
          await expect(page.goto(`http://${host}/api/v1/namespaces`)).rejects.toThrow('ERR_UNSAFE_PORT')
          await page.close()
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

  it(
    keeps('attack.temporal-scopes', 'and a key without admin cannot read or end workflows at our address'),
    async () => {
      const { body: made } = await stage.call(product.url, '/api/v1/keys', {
        body: { name: 'manager', scopes: ['chat', 'read', 'manage'] },
      })
      const [manager, admin] = [await signIn(made.key), await signIn(stage.key)]
      const terminate = '/temporal/api/v1/namespaces/default/workflows/none/terminate'
      const send = (cookie: string, path: string, { headers, ...init }: SendOptions = {}) =>
        fetch(`${product.url}${path}`, { ...init, headers: { cookie, ...headers } }).then(({ status }) => status)
      for (const path of ['/temporal', '/temporal/api/v1/namespaces', terminate]) {
        for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
          expect.soft(await send('', path, { method }), `${method} ${path}`).toBe(401)
          expect.soft(await send(manager, path, { method }), `${method} ${path}`).toBe(403)
        }
      }
      expect(await send(admin, '/temporal/api/v1/namespaces')).toBe(200)
      expect(await send(admin, terminate, { method: 'POST', headers: { origin: 'http://evil.example' } })).toBe(403)
    },
  )

  async function signIn(key: string): Promise<string> {
    const { body } = await stage.call(product.url, '/api/v1/ws/tickets', { method: 'POST', key })
    const url = `${product.url}/sign-in?${new URLSearchParams({ ticket: body.ticket })}`
    const answer = await fetch(url, { redirect: 'manual' })
    return answer.headers.getSetCookie()[0]!.split(';')[0]!
  }
})

describe.skipIf(!canMount(join(tmpdir(), 'muxi-small-disk')))('a full disk', () => {
  let disk: SmallDisk
  let stage: Stage
  let url: string
  let supervisor: number
  let log: string

  beforeAll(async () => {
    disk = mountSmallDisk(mkdtempSync(join(tmpdir(), 'muxi-e2e-disk-')), 96)!
    stage = await openStage({ withoutTemporal: true })
    const port = await freePort()
    const settings = { MUXI_OFFLINE_WORDS_PER_SECOND: '10', ...(await temporalPorts()) }
    url = `http://127.0.0.1:${port}`
    log = join(disk.folder, 'muxi.log')
    const file = openSync(log, 'a')
    const child = spawn(process.execPath, [`${ROOT}cli/muxi.mjs`, 'serve'], {
      env: { ...process.env, ...stage.env(), MUXI_DATA_DIR: disk.folder, MUXI_PORT: String(port), ...settings },
      cwd: stage.folder,
      detached: true,
      stdio: ['pipe', file, file],
    })
    closeSync(file)
    supervisor = child.pid!
    killWithUs(supervisor)
    stage.key = await vi.waitFor(() => /API key +(\S+)/.exec(readFileSync(log, 'utf8'))![1]!, 90_000)
  })
  afterAll(async () => {
    process.kill(supervisor, 'SIGTERM')
    await vi.waitFor(() => expect(isAlive(supervisor)).toBe(false), 40_000)
    await stage.close()
    disk.unmount()
  })

  const chat = () =>
    stage.call(url, '/api/v1/agents/offline/chat', {
      body: { content: 'What time is it?' },
      signal: AbortSignal.timeout(60_000),
    })
  const send = async () => {
    const answer = await fetch(`${url}/api/v1/agents/offline/chat/stream`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stage.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ content: 'What time is it?' }),
      signal: AbortSignal.timeout(60_000),
    })
    await answer.body?.cancel()
    return answer
  }
  const ready = () =>
    stage.call(url, '/readyz').then(
      ({ status, body }) => (status === 200 ? 'ready' : String(body.error.message)),
      () => 'gone',
    )

  it(keeps('attack.full-disk', 'stops nothing for good'), { timeout: 240_000 }, async () => {
    expect((await chat()).status).toBe(200)
    const before = await stage.chat(url, 'What time is it in Europe/Berlin?', { agent: 'offline' })
    await before.waitFor('message_start')
    // What SQLite had already taken of the disk may take a few messages more.
    const answers: Response[] = []
    while (answers.length < 40 && answers.at(-1)?.status !== 503) {
      disk.fill(log)
      answers.push(await send())
    }
    expect(answers.at(-1)!.status).toBe(503)
    expect(answers.map(({ status }) => status).filter((status) => status !== 200 && status !== 503)).toEqual([])
    expect(Number(answers.at(-1)!.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await ready()).toContain('disk full')
    const upload = await stage.call(url, '/api/v1/files', { body: { name: 'a.txt', data: 'A'.repeat(400_000) } })
    expect(upload.status).toBe(503)
    expect(isAlive(supervisor)).toBe(true)

    for (const pid of childrenOf(supervisor)) process.kill(pid, 'SIGKILL')
    await expect.poll(ready, { timeout: 30_000 }).toBe('gone')
    await expect.poll(() => childrenOf(supervisor).length, { timeout: 30_000 }).toBeGreaterThan(0)
    disk.fill()
    disk.free()
    await expect.poll(ready, { timeout: 90_000, interval: 200 }).toBe('ready')
    const after = await chat()
    expect(after).toMatchObject({ status: 200 })
    const turnId = before.events[0]!.data.turn_id
    await expect.poll(async () => (await stage.turn(url, turnId)).status, { timeout: 60_000 }).toBe('completed')
    expect(isAlive(supervisor)).toBe(true)
    expect(readFileSync(log, 'utf8')).toContain('could not be written')
  })
})

it(
  keeps(
    'attack.secret-key',
    'names the credential and the way out; the turn ends instead of being retried without limit',
  ),
  { timeout: 120_000 },
  async () => {
    const stage = await openStage()
    onTestFinished(() => stage.close())
    const muxi = await stage.start('all')
    const model = { provider: 'openai', model: 'gpt-4.1-mini', api_key: 'sk-of-the-helper' }
    const config = { id: 'helper', description: 'Helps.', system_message: 'You help.', model }
    expect((await stage.call(muxi.url, '/api/v1/agents', { body: config })).status).toBe(201)
    // As a key that was changed under a running process leaves it.
    const db = new DatabaseSync(join(stage.dataDir, 'muxi.db'), { timeout: 5_000 })
    const sealed = new SecretBox('another key').seal('agent/helper/1/model.api_key', 'sk-of-the-helper')
    db.prepare(`update secrets set ciphertext = ? where name = 'agent/helper/1/model.api_key'`).run(sealed)
    db.close()
    const turn = await stage.call(muxi.url, '/api/v1/agents/helper/chat', { body: { content: 'Hello' } })
    expect(turn).toMatchObject({ status: 500, body: { error: { code: 'internal_error' } } })
    expect(turn.text).toContain('MUXI_SECRET_KEY')
    await muxi.stop()

    const refused = await stage.start('all').then(
      () => undefined,
      (error: Error) => error,
    )
    expect(refused?.message).toContain("Cannot read 'agent/helper/1/model.api_key'")
    const forgetting = startChild({
      script: 'cli/muxi.mjs',
      args: ['secrets', 'forget'],
      env: stage.env(),
      cwd: stage.folder,
    })
    expect(await forgetting.ended).toBe(0)
    expect(forgetting.stdout()).toContain('agent/helper/1/model.api_key')
    const again = await stage.start('all')
    expect((await stage.call(again.url, '/readyz')).status).toBe(200)
  },
)

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

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
