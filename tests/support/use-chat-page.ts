// An example of docs/use-chat.md as a page in Chromium: bundled as it is written, and served by the browser itself.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { asSchema, uiMessageChunkSchema } from 'ai'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { bundlePage } from './bundle-page.ts'
import { ROOT } from './children.ts'

export const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
export const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-proxy-server']
const PATH = '/use-chat-example'
const HTML = `<!doctype html><title>useChat</title><div id="root"></div><script type="module" src="${PATH}.js"></script>`
const SETTINGS = `const { searchParams } = new URL(location.href)
export const api = '/api/v1'
export const agent = searchParams.get('agent')
export const chatId = searchParams.get('chat')
export const apiKey = searchParams.get('key')
export const serverUrl = location.origin
export const headers = { authorization: 'Bearer ' + apiKey }
`

export const hasChromium = existsSync(CHROMIUM)

/** The examples: with the transport of the `ai` package, and with that of the client. */
type Example = 'default' | 'client'

async function bundle(which: Example): Promise<string> {
  const examples = readFileSync(join(ROOT, 'docs/use-chat.md'), 'utf8').matchAll(/```tsx\n([\s\S]*?)```/g)
  const [, example] = [...examples][which === 'default' ? 0 : 1] ?? []
  const entry = join(ROOT, 'docs/use-chat-example.tsx')
  const files = { [entry]: example!, [join(ROOT, 'docs/settings.ts')]: SETTINGS }
  return bundlePage(entry, files, {
    define: { 'process.env.NODE_ENV': '"production"' },
    // Whatever NODE_ENV the tests run with.
    oxc: { jsx: { runtime: 'automatic', development: false } },
  })
}

/** A browser that shows the example. */
export class UseChatBrowser {
  readonly #browser: Browser
  readonly #code: string

  private constructor(browser: Browser, code: string) {
    this.#browser = browser
    this.#code = code
  }

  static async open(example: Example = 'default'): Promise<UseChatBrowser> {
    const [browser, code] = await Promise.all([
      chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS }),
      bundle(example),
    ])
    return new UseChatBrowser(browser, code)
  }

  async chat(url: string, { agent, key, chat }: { agent: string; key: string; chat: string }): Promise<UseChatPage> {
    const context = await this.#browser.newContext()
    const page = await context.newPage()
    page.setDefaultTimeout(20_000)
    await page.route(`**${PATH}**`, (route) =>
      route.request().url().includes(`${PATH}.js`)
        ? route.fulfill({ contentType: 'text/javascript', body: this.#code })
        : route.fulfill({ contentType: 'text/html', body: HTML }),
    )
    const shown = new UseChatPage(context, page)
    const query = new URLSearchParams({ agent, key, chat })
    await page.goto(`${url}${PATH}?${query.toString()}`)
    return shown
  }

  close(): Promise<void> {
    return this.#browser.close()
  }
}

export class UseChatPage {
  readonly page: Page
  readonly #faults: string[] = []
  readonly #context: BrowserContext

  constructor(context: BrowserContext, page: Page) {
    this.#context = context
    this.page = page
    page.on('pageerror', ({ message }) => this.#faults.push(message))
  }

  async send(text: string): Promise<void> {
    await this.page.getByLabel('Message').fill(text)
    await this.page.keyboard.press('Enter')
  }

  click(name: string): Promise<void> {
    return this.page.getByRole('button', { name }).click()
  }

  /** The texts of the messages, each as it is shown. */
  async shown(): Promise<string[]> {
    return this.page.locator('article').allTextContents()
  }

  /** Resolves when the last message contains the text. */
  shows(text: string): Promise<void> {
    return this.page.locator('article', { hasText: text }).last().waitFor()
  }

  /** Resolves when useChat has this status. */
  status(status: 'ready' | 'streaming' | 'error'): Promise<void> {
    return this.page.locator(`main[data-status="${status}"]`).waitFor()
  }

  async reload(): Promise<void> {
    await this.page.reload()
  }

  /** The states of the tool calls of all messages. */
  toolStates(): Promise<(string | null)[]> {
    return this.page.locator('aside').evaluateAll((all) => all.map((each) => each.getAttribute('data-state')))
  }

  /** @throws when the page had an error */
  async close(): Promise<void> {
    await this.#context.close()
    if (this.#faults.length > 0) throw new Error(`the page failed: ${this.#faults.join('; ')}`)
  }
}

const schema = asSchema(uiMessageChunkSchema)

/** The chunks of a stream. @throws when one does not follow the package's schema, or the stream does not end as it must */
export async function readChunks(text: string): Promise<Record<string, unknown>[]> {
  const frames = text.split('\n\n').filter((frame) => frame !== '' && !frame.startsWith(':'))
  if (frames.pop() !== 'data: [DONE]') throw new Error(`the stream does not end with [DONE]: ${text.slice(-200)}`)
  const chunks = frames.map((frame) => JSON.parse(frame.replace(/^data: /, '')) as Record<string, unknown>)
  for (const chunk of chunks) {
    const checked = await schema.validate!(chunk)
    if (!checked.success)
      throw new Error(`no chunk of the protocol: ${JSON.stringify(chunk)}`, { cause: checked.error })
  }
  return chunks
}
