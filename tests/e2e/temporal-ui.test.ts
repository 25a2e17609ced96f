// The Temporal UI after `npm start`: the history of a turn, with its text.
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { HANG } from '../support/scripted-model.ts'
import { openStage, type Product, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
/** Output path of the README's screenshot; unset: none is written. */
const PICTURE = process.env['MUXI_PICTURE']
const found = existsSync(CHROMIUM)
if (!found)
  console.log(`tests/e2e/temporal-ui.test.ts is skipped: there is no browser at ${CHROMIUM} (set CHROMIUM to one)`)

describe.skipIf(!found)('the Temporal UI', () => {
  let stage: Stage
  let product: Product
  let browser: Browser

  beforeAll(async () => {
    stage = await openStage({ withoutTemporal: true })
    product = await stage.startProduct({ port: await freePort() })
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-proxy-server'],
    })
  })
  afterAll(async () => {
    await browser?.close()
    await stage.close()
  })

  it(keeps('ui.words', 'shows the story of a turn, and its words, to who is signed in'), async () => {
    const { body: turn } = await stage.call(product.url, '/api/v1/agents/offline/chat', {
      body: { content: 'What time is it in Europe/Berlin?' },
    })
    const { workflow } = await stage.turn(product.url, turn.turn_id)
    const { body } = await stage.call(product.url, '/api/v1/ws/tickets', { method: 'POST' })
    const page = await (await browser.newContext({ viewport: { width: 1400, height: 1100 } })).newPage()
    await page.goto(`${product.url}/sign-in?${new URLSearchParams({ ticket: body.ticket, to: workflow.url })}`)
    await page.getByText('A message to offline').first().waitFor({ timeout: 30_000 })
    await page.getByText('What time is it in Europe/Berlin?').first().waitFor({ timeout: 30_000 })
    await page.getByText('Step 1: offline').first().waitFor()
    expect(await page.getByText('What time is it in Europe/Berlin?').count()).toBeGreaterThan(0)
    if (PICTURE) await page.screenshot({ path: PICTURE })
  })

  it(keeps('ui.attempts', 'shows the attempts of a model call that fails first'), async () => {
    const cue = stage.model.script({ fail: 500 }, HANG)
    const answer = await stage.call(product.url, '/api/v1/agents/scripted/chat', {
      body: { content: cue, background: true },
    })
    const { turn_id } = answer.body
    await expect.poll(() => stage.model.requests(cue).length, { timeout: 20_000 }).toBe(2)
    const { workflow } = await stage.turn(product.url, turn_id)
    const { body } = await stage.call(product.url, '/api/v1/ws/tickets', { method: 'POST' })
    const page = await (await browser.newContext({ viewport: { width: 1400, height: 1100 } })).newPage()
    await page.goto(`${product.url}/sign-in?${new URLSearchParams({ ticket: body.ticket, to: workflow.url })}`)
    await page.getByText('Step 1: gpt-4.1-mini').first().waitFor({ timeout: 30_000 })
    await page.getByText('Attempt 2').first().waitFor({ timeout: 30_000 })
    if (PICTURE) await page.screenshot({ path: PICTURE.replace(/\.png$/, '-attempts.png') })
    await stage.call(product.url, `/api/v1/turns/${turn_id}/cancel`, { method: 'POST' })
  })

  it(keeps('ui.closed', 'shows nothing to who is not'), async () => {
    const page = await browser.newPage()
    const answer = await page.goto(`${product.url}/temporal`)
    expect(answer?.status()).toBe(401)
    const decode = await stage.call(product.url, '/codec/decode', { key: '', body: { payloads: [] } })
    expect(decode.status).toBe(401)
  })
})
