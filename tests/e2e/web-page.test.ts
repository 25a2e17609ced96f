// The web page in a real browser, against one process with an API and a worker.
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { HeldReply } from '../support/held-reply.ts'
import { holdAfter } from '../support/held-rows.ts'
import { EVERYTHING, FAULTY, NODE } from '../support/mcp-servers.ts'
import { OAuthMcpServer, ScriptedBrowser } from '../support/oauth-mcp-server.ts'
import { numberedPages, pdf } from '../support/pdf.ts'
import { type Muxi, openStage, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-proxy-server']
const found = existsSync(CHROMIUM)
if (!found)
  console.log(`tests/e2e/web-page.test.ts is skipped: there is no browser at ${CHROMIUM} (set CHROMIUM to one)`)

describe.skipIf(!found)('the web page', () => {
  let stage: Stage
  let muxi: Muxi
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let faults: string[]

  beforeAll(async () => {
    const port = await freePort()
    stage = await openStage({
      env: {
        MUXI_OFFLINE_WORDS_PER_SECOND: '40',
        MUXI_MCP_COMMANDS: NODE,
        MUXI_PUBLIC_URL: `http://127.0.0.1:${port}`,
      },
    })
    muxi = await stage.start('all', { port })
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS })
    return async () => {
      await browser.close()
      await stage.close()
    }
  })

  beforeEach(async () => {
    context = await browser.newContext()
    context.setDefaultTimeout(20_000)
    page = await context.newPage()
    faults = []
    page.on('pageerror', (error) => faults.push(error.message))
    // Expected console messages: 401 and 400 for a missing key or invalid input, and a server that is killed or down.
    page.on('console', (message) => {
      if (message.type() === 'error' && !/40[01]|ERR_CONNECTION_(REFUSED|RESET)|WebSocket/.test(message.text()))
        faults.push(message.text())
    })
    await page.goto(muxi.url)
  })

  afterEach(async () => {
    await context.close()
    expect(faults).toEqual([])
  })

  const enterKey = async () => {
    await page.getByLabel('Key', { exact: true }).fill(stage.key)
    await page.getByRole('button', { name: 'Continue' }).click()
  }

  /** Enters the key and starts a new conversation. */
  const begin = async (agent: string) => {
    await enterKey()
    await page.getByLabel('Agent').selectOption(agent)
    const made = page.waitForResponse(
      (response) => response.request().method() === 'POST' && response.url().endsWith('/conversations'),
    )
    await page.getByRole('button', { name: 'New' }).click()
    const { id } = (await (await made).json()) as { id: string }
    await page.locator(`#conversation option:checked[value="${id}"]`).waitFor({ state: 'attached' })
    await page.locator('#empty').waitFor()
  }

  const write = async (content: string) => {
    await page.getByLabel('Message', { exact: true }).fill(content)
    await page.keyboard.press('Enter')
  }

  const lastTurn = () => page.locator('.turn').last()
  const reply = () => lastTurn().locator('.reply')
  const ended = () => page.locator('.turn:last-child[aria-busy="false"]').waitFor()
  const turnId = async () => (await lastTurn().getAttribute('id'))!

  it('asks for a key again when it was invalid, and not after a reload when it was valid', async () => {
    await page.getByLabel('Key', { exact: true }).fill('sk_muxi_wrong')
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByText('The server does not accept that key.').waitFor()
    await enterKey()
    await page.getByText('Connected').waitFor()
    await page.reload()
    await page.getByText('Connected').waitFor()
    expect(await page.locator('#key-dialog').isVisible()).toBe(false)
  })

  it('shows the tool call, the reply, every event and the log of a turn', async () => {
    await begin('offline')
    await write('What time is it?')
    await ended()
    const tool = lastTurn().locator('.tool')
    expect(await tool.locator('summary').textContent()).toBe('Tool builtin/current_time done')
    expect(await reply().textContent()).toContain('The tool answered:')
    const { message, workflow } = await stage.turn(muxi.url, await turnId())
    expect(await reply().textContent()).toBe(message.agent_response.content)

    const numbers = await page.locator('#event-list .number').allTextContents()
    expect(numbers).toEqual(numbers.map((_, index) => String(index + 1)))
    const types = await page.locator('#event-list .type').allTextContents()
    expect([types[0], types.at(-1)]).toEqual(['accepted', 'chat_end'])
    expect(types).toEqual(expect.arrayContaining(['chat_start', 'tool_call_start', 'tool_call_end', 'chat_content']))

    await expect
      .poll(() => page.getByRole('link', { name: 'Open in Temporal UI' }).getAttribute('href'))
      .toContain(encodeURIComponent(workflow.id))
    await lastTurn().getByRole('button', { name: 'Log' }).click()
    await expect
      .poll(() => page.locator('#log-rows td:first-child').allTextContents())
      .toEqual(['model call', 'tool call', 'model call'])

    await page.reload()
    await ended()
    expect(await reply().textContent()).toBe(message.agent_response.content)
    expect(await tool.locator('summary').textContent()).toBe('Tool builtin/current_time done')
  })

  it('shows the whole text once after a reload mid-stream', async () => {
    await begin('scripted')
    const text = manyWords('reload', 80)
    const held = new HeldReply()
    await write(`Please ${stage.model.script({ say: text, held })}`)
    await reply().getByText('reload-3 ').waitFor()
    await page.reload()
    await reply().getByText('reload-1 ').waitFor()
    expect(await lastTurn().getAttribute('aria-busy')).toBe('true')
    held.release()
    await ended()
    expect(await reply().textContent()).toBe(text)
    expect(await page.locator('.turn').count()).toBe(1)
  })

  it('stops a turn and keeps the text so far', async () => {
    await begin('scripted')
    await write(`Please ${stage.model.script({ say: manyWords('stop', 40), held: new HeldReply() })}`)
    await reply().getByText('stop-2 ').waitFor()
    await page.getByRole('button', { name: 'Stop' }).click()
    await lastTurn()
      .getByText(/^Stopped/)
      .waitFor()
    const { status, message } = await stage.turn(muxi.url, await turnId())
    expect(status).toBe('cancelled')
    expect(await reply().textContent()).toBe(message.agent_response.content)
    expect(await page.getByRole('button', { name: 'Stop' }).isVisible()).toBe(false)
  })

  it('shows a waiting call with its editable arguments, and a question as a form', async () => {
    const add = (body: object) => stage.call(muxi.url, '/api/v1/agents/scripted/mcp_servers', { body })
    await add({ name: 'faulty', command: NODE, args: [FAULTY, 'none', stage.countFile] })
    await add({ name: 'everything', command: NODE, args: [EVERYTHING], approval: 'never' })
    await begin('scripted')
    const counts = (label: string) => ({ name: 'faulty__count', arguments: { label } })
    const cue = stage.model.script(
      { call: [counts('written'), counts('denied')] },
      { call: [{ name: 'everything__trigger-elicitation-request', arguments: {} }] },
      { say: 'All done.' },
    )
    await write(`Please ${cue}`)
    const call = (label: string) => lastTurn().locator('.approval').filter({ hasText: label })
    const card = () => lastTurn().locator('.approval:has(form)')
    await expect.poll(() => card().count()).toBe(2)
    // After a reload it still waits.
    await page.reload()
    await expect.poll(() => card().count()).toBe(2)
    const written = card()
      .filter({ has: page.getByLabel('Arguments') })
      .first()
    const label = (await written.getByLabel('Arguments').inputValue()).includes('written') ? 0 : 1
    const [edited, denied] = [card().nth(label), card().nth(1 - label)]
    await denied.getByLabel('Reason').fill('Not today')
    await edited.getByLabel('Arguments').fill('{"label":')
    await edited.getByRole('button', { name: 'Approve' }).click()
    await edited.getByText('The arguments must be JSON').waitFor()
    await edited.getByLabel('Arguments').fill('{"label":7}')
    await edited.getByRole('button', { name: 'Approve' }).click()
    await edited.getByText(/label must be string \(bad_request\)/).waitFor()
    await edited.getByLabel('Arguments').fill('{"label":"edited"}')
    await denied.getByRole('button', { name: 'Deny' }).click()
    await call('Denied').waitFor()
    await card().getByRole('button', { name: 'Approve' }).press('Enter')
    const form = lastTurn().getByRole('region', { name: 'A question' })
    await form.getByLabel('String *').fill('Ada')
    await form.getByRole('button', { name: 'Answer' }).click()
    await ended()
    expect(await reply().textContent()).toBe('All done.')
    expect(stage.counted().filter((each) => each !== 'cancelled')).toEqual(['edited'])
    const { approvals, message } = await stage.turn(muxi.url, await turnId())
    expect(approvals.map(({ decision }: { decision: string }) => decision).toSorted()).toEqual([
      'answer',
      'approve',
      'deny',
    ])
    expect(JSON.stringify(message.agent_response.tool_calls)).toContain('Ada')
  })

  it('offers a sign-in as a link, and continues after the sign-in', async () => {
    const server = await OAuthMcpServer.start()
    onTestFinished(() => server.close())
    const servers = '/api/v1/agents/scripted/mcp_servers'
    const guarded = { name: 'guarded', url: server.url, approval: 'never' }
    const added = await stage.call(muxi.url, servers, { body: guarded })
    await new ScriptedBrowser('operator').open(added.body.sign_in_url)
    const isConnected = async () => (await stage.call(muxi.url, `${servers}/guarded`)).body.connected
    await expect.poll(isConnected).toBe(true)
    await begin('scripted')
    const call = { name: 'guarded__whoami', arguments: {} }
    await write(`Please ${stage.model.script({ call: [call] }, { say: 'Signed in.' })}`)
    const card = lastTurn().getByRole('region', { name: 'Please sign in' })
    const opened = context.waitForEvent('page')
    await card.getByRole('link').click()
    await (await opened).getByText('the conversation goes on').waitFor()
    await ended()
    expect(await reply().textContent()).toBe('Signed in.')
    expect(server.calls).toEqual(['somebody: whoami'])
  })

  it('shows why a turn failed, and markup as text', async () => {
    await begin('scripted')
    await write(`<b>Please</b> ${stage.model.script({ fail: 401 })}`)
    await ended()
    expect(await lastTurn().locator('.error').textContent()).toMatch(/401.*\(upstream_error\)$/)
    expect(await lastTurn().locator('b').count()).toBe(0)
    expect(await lastTurn().locator('.asked').textContent()).toContain('<b>Please</b>')
  })

  const file = (name: string, content: string | Buffer) => ({
    name,
    mimeType: 'application/octet-stream',
    buffer: Buffer.from(content),
  })

  /** Drops a file on the page, like a user with a mouse. */
  const drop = async (name: string, content: string) => {
    const data = await page.evaluateHandle(
      ([called, text]) => {
        const transfer = new DataTransfer()
        transfer.items.add(new File([text!], called!))
        return transfer
      },
      [name, content],
    )
    await page.dispatchEvent('body', 'dragover', { dataTransfer: data })
    await page.dispatchEvent('body', 'drop', { dataTransfer: data })
  }

  it('sends documents with a message, chosen or dropped, and shows their names with it', async () => {
    await begin('offline')
    const attached = page.getByRole('list', { name: 'Attachments' })
    await page.locator('#attach-files').setInputFiles(file('oars.md', 'There are twelve oars in the shed.'))
    await attached.getByText('oars.md').waitFor()
    await drop('boats.txt', 'The boat is called Heron.')
    await drop('surplus.txt', 'Not this one.')
    await expect.poll(() => attached.locator('.how').allTextContents()).toEqual(['34 bytes', '25 bytes', '13 bytes'])
    const removed = page.waitForResponse((response) => response.request().method() === 'DELETE')
    await attached.getByRole('button', { name: 'Remove surplus.txt' }).press('Enter')
    expect((await removed).status()).toBe(200)
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Remove boats.txt')

    await write('How many oars are there in the shed?')
    await ended()
    expect(await reply().textContent()).toContain('twelve')
    const sent = () => lastTurn().getByRole('list', { name: 'Attached' }).locator('li').allTextContents()
    expect(await sent()).toEqual(['oars.md', 'boats.txt'])
    expect(await attached.isVisible()).toBe(false)
    const { message } = await stage.turn(muxi.url, await turnId())
    expect(message.user_message.attachments).toMatchObject([{ name: 'oars.md' }, { name: 'boats.txt' }])
    await page.reload()
    await ended()
    expect(await sent()).toEqual(['oars.md', 'boats.txt'])
  })

  it('says in words why an attachment is refused, and gives the message back', async () => {
    await begin('offline')
    await page.locator('#attach-files').setInputFiles(file('a.zip', Buffer.from([80, 75, 3, 4, 0, 0, 0, 255])))
    await page.locator('#attached .how').getByText('8 bytes').waitFor()
    await write('What is in it?')
    await ended()
    expect(await lastTurn().locator('.error').textContent()).toMatch(/'a\.zip'.*\(unsupported_media_type\)$/)
    expect(await page.getByLabel('Message', { exact: true }).inputValue()).toBe('What is in it?')
    expect(await page.locator('#attached li').allTextContents()).toEqual([expect.stringContaining('a.zip')])
  })

  it('adds documents to what an agent knows, shows how far they are, and can be told to stop', async () => {
    await begin('scripted')
    await page.getByRole('button', { name: 'Knowledge' }).press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Knowledge' })
    const added = dialog.getByRole('list', { name: 'Being added' }).locator('li')
    const sources = dialog.getByRole('list', { name: 'Sources of knowledge' }).locator('li')
    await dialog.getByText('There are none yet.').waitFor()
    const letGo = await holdAfter(stage, 'batches', 3)
    await page.locator('#learn-files').setInputFiles(file('long.pdf', pdf(numberedPages(400))))
    await added.getByText(/^Reading: 150 of 400 pages/).waitFor()
    expect(await added.locator('progress').count()).toBe(1)
    await added.getByRole('button', { name: 'Cancel long.pdf' }).press('Enter')
    await added.getByText('Cancelled', { exact: true }).waitFor()
    await letGo()
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Dismiss long.pdf')
    await page.keyboard.press('Enter')
    expect(await added.count()).toBe(0)

    await drop('harbour.md', '# Harbour\n\nThe harbour master is called Ingrid.')
    await added.getByText('Learned, 1 page').waitFor()
    await expect.poll(() => sources.allTextContents()).toEqual(['harbour.md1 documentRemove'])
    await page.locator('#learn-files').setInputFiles(file('broken.pdf', pdf(numberedPages(3)).subarray(0, 500)))
    await added.getByText(/\(unprocessable\)$/).waitFor()
    await expect.poll(() => sources.count()).toBe(1)
    const found = await stage.call(muxi.url, '/api/v1/agents/scripted/knowledge/search?query=harbour%20master')
    expect(found.body.results[0].content).toContain('Ingrid')

    page.once('dialog', (asked) => void asked.accept())
    await sources.getByRole('button', { name: 'Remove harbour.md' }).press('Enter')
    await dialog.getByText('There are none yet.').waitFor()
    await page.keyboard.press('Escape')
    expect(await dialog.isVisible()).toBe(false)
  })

  it('finds the documents that are being added again after a reload', async () => {
    await begin('scripted')
    await page.getByRole('button', { name: 'Knowledge' }).click()
    const letGo = await holdAfter(stage, 'batches', 3)
    await page.locator('#learn-files').setInputFiles(file('again.pdf', pdf(numberedPages(400))))
    const reading = page.locator('#learning').getByText(/^Reading: 150 of 400 pages/)
    await reading.waitFor()
    await page.reload()
    await page.getByText('Connected').waitFor()
    await page.getByRole('button', { name: 'Knowledge' }).click()
    await reading.waitFor()
    await letGo()
    await page.locator('#learning').getByText('Learned, 400 pages').waitFor({ timeout: 60_000 })
    expect(await page.locator('#learning li').count()).toBe(1)
  })

  it('shows nothing of knowledge to a key that may only chat and read', async () => {
    const { body } = await stage.call(muxi.url, '/api/v1/keys', { body: { name: 'reader', scopes: ['chat', 'read'] } })
    await page.getByLabel('Key', { exact: true }).fill(body.key)
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByText('Connected').waitFor()
    await expect.poll(() => page.locator('#content').isEnabled()).toBe(true)
    expect(await page.getByRole('button', { name: 'Knowledge' }).isVisible()).toBe(false)
    expect(await page.getByRole('button', { name: 'Attach' }).isEnabled()).toBe(true)
  })

  it('describes the API at /docs, with nothing from another server', async () => {
    const asked: string[] = []
    page.on('request', (request) => asked.push(new URL(request.url()).origin))
    await page.goto(`${muxi.url}/docs`)
    const call = page.locator('summary').filter({ hasText: /^POST \/api\/v1\/jobs / })
    await call.press('Enter')
    await page.locator('details[open] td').filter({ hasText: 'idempotency-key' }).waitFor()
    expect(await page.getByRole('region', { name: 'knowledge' }).locator('.tool > summary').count()).toBe(4)
    const open = page.locator('.tool[open]')
    expect(await open.locator('pre').filter({ hasText: 'curl -X POST' }).textContent()).toContain(
      `${muxi.url}/api/v1/jobs`,
    )
    await open.locator('summary').filter({ hasText: /^202 / }).press('Enter')
    await open.locator('pre').filter({ hasText: '"status": "queued"' }).waitFor()
    expect(new Set(asked)).toEqual(new Set([new URL(muxi.url).origin]))
  })

  it('resumes automatically after the server was killed mid-stream, with the re-emitted text shown once', async () => {
    await begin('scripted')
    const text = manyWords('second', 20)
    await write(`Please ${stage.model.script({ say: manyWords('first', 40), held: new HeldReply() }, { say: text })}`)
    await reply().getByText('first-2 ').waitFor()
    await muxi.kill()
    await page.getByText('Connection lost.').waitFor()
    muxi = await stage.start('all', { port: Number(new URL(muxi.url).port) })
    await expect.poll(() => reply().textContent(), { timeout: 60_000 }).toBe(text)
    await ended()
    expect(await page.locator('#event-list .type').allTextContents()).toContain('content_reset')
  })
})

it.skipIf(!found)('the web page reaches its own server and no other', async () => {
  const stage = await openStage()
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS })
  try {
    const { url } = await stage.start('api')
    const page = await browser.newPage()
    await page.goto(url)
    const blocked: string[] = []
    await page.exposeFunction('tellBlocked', (uri: string) => void blocked.push(uri))
    await page.evaluate(async (elsewhere) => {
      document.addEventListener('securitypolicyviolation', ({ blockedURI }) =>
        Reflect.get(window, 'tellBlocked')(blockedURI),
      )
      const open = (address: string) =>
        new Promise<void>((resolve) => {
          const socket = new WebSocket(address)
          socket.onopen = socket.onerror = socket.onclose = () => resolve()
        })
      await open('/api/v1/ws')
      await fetch('/healthz')
      await open(elsewhere.replace('http', 'ws'))
      await fetch(elsewhere).catch(() => undefined)
    }, 'http://localhost:9/')
    await expect.poll(() => blocked).toEqual(['ws://localhost:9/', 'http://localhost:9/'])
  } finally {
    await browser.close()
    await stage.close()
  }
})

it.skipIf(!found)('the web page asks for no key when authentication is off', async () => {
  const stage = await openStage({ env: { MUXI_API_KEY: 'false' } })
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS })
  try {
    const { url } = await stage.start('all')
    const page = await browser.newPage()
    await page.goto(url)
    await page.getByLabel('Agent').selectOption('offline')
    await page.getByRole('button', { name: 'What time is it?' }).click()
    await page.getByText('The tool answered:').waitFor({ timeout: 20_000 })
    expect(await page.locator('#key-dialog').isVisible()).toBe(false)
  } finally {
    await browser.close()
    await stage.close()
  }
})
