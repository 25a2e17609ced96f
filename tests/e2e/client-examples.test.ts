// The examples of the folder `examples`, run as their README says, without a key of any provider.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Child, cleanEnvironment, ROOT, startChild } from '../support/children.ts'
import { freePort } from '../support/free-port.ts'
import { pythonWith } from '../support/python.ts'
import { tempDir } from '../support/temp-dir.ts'
import { ARGUMENTS, CHROMIUM, hasChromium } from '../support/use-chat-page.ts'
import { keeps } from './requirements.ts'

const run = promisify(execFile)
const FAST = { MUXI_OFFLINE_WORDS_PER_SECOND: '100000' }
const folderOf = (name: string) => join(ROOT, 'examples', name)

/** Starts the `main.ts` of an example in its folder, as `npm run example` does. */
function start(name: string, env: Record<string, string>): Child {
  return startChild({
    script: `examples/${name}/main.ts`,
    cwd: folderOf(name),
    env: { ...FAST, ...env },
    runtime: 'node',
  })
}

/** Runs it to its end. @returns what it printed */
async function finish(name: string, env: Record<string, string>): Promise<string> {
  const child = start(name, env)
  expect(await child.ended, child.output()).toBe(0)
  return child.stdout()
}

it(keeps('examples.run', 'agent-from-config'), async () => {
  const folder = tempDir()
  const said = await finish('agent-from-config', { MUXI_DATA_DIR: folder })
  expect(said).toMatch(/^Response: .+/)
  expect(said).toMatch(/^assistant: .*11\.2375/m)
  expect(said).toMatch(/^With knowledge: .*100 mm/m)
})

describe('with the server of api-server', () => {
  let url: string
  let key: string
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'muxi-examples-'))
    const server = start('api-server', { MUXI_DATA_DIR: folder, PORT: String(await freePort()) })
    ;[, key = ''] = await server.says(/API key: (\S+)/)
    ;[, url = ''] = await server.says(/muxi is ready: (\S+)/)
    return async () => {
      // Everything is drained, and nothing is left.
      expect(await server.stop()).toBe(0)
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    }
  })

  it(keeps('examples.run', 'api-server'), async () => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const ask = async (content: string) => {
      const response = await fetch(`${url}/api/v1/chat`, { method: 'POST', headers, body: JSON.stringify({ content }) })
      return ((await response.json()) as { agent_id: string }).agent_id
    }
    expect(await ask('Explain the forecast: rain, wind and storms?')).toBe('weather_expert')
    expect(await ask('Explain interest, loans and taxes on shares?')).toBe('finance_expert')
  })

  it(keeps('examples.run', 'remote'), async () => {
    const said = await finish('remote', { MUXI_URL: url, MUXI_KEY: key })
    const [hello, story, image] = said.trim().split('\n').filter(Boolean)
    expect([hello, story, image]).toEqual([expect.any(String), expect.any(String), expect.any(String)])
  })

  it(keeps('examples.run', 'python-openai'), async () => {
    const packages = fileURLToPath(new URL('../support/openai-python.txt', import.meta.url))
    const env = {
      ...cleanEnvironment(),
      VENV: dirname(dirname(await pythonWith('openai', packages))),
      OPENAI_BASE_URL: `${url}/v1`,
      OPENAI_API_KEY: key,
    }
    const { stdout } = await run('sh', ['examples/python-openai/run.sh'], { cwd: ROOT, env, timeout: 60_000 })
    const lines = stdout.trim().split('\n')
    expect(lines.slice(0, 4).toSorted()).toEqual(expect.arrayContaining(['assistant', 'auto', 'finance_expert']))
    expect(lines.length).toBeGreaterThan(6)
  })

  it.skipIf(!hasChromium)(keeps('examples.run', 'react-chat'), async () => {
    const port = await freePort()
    const child = start('react-chat', { MUXI_URL: url, MUXI_KEY: key, PORT: String(port) })
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS })
    try {
      await child.says(/The page: /)
      const page = await browser.newPage()
      page.setDefaultTimeout(60_000)
      await page.goto(`http://127.0.0.1:${port}/`)
      await page.getByLabel('Message').fill('What do you know of tides?')
      await page.keyboard.press('Enter')
      await page.locator('article[data-role="assistant"]').waitFor()
      await page.locator('main[data-status="ready"]').waitFor()
      const shown = await page.locator('article').allTextContents()
      expect(shown[1]).toMatch(/\w+/)
      await page.reload()
      await page.locator('article[data-role="assistant"]').waitFor()
      expect(await page.locator('article').allTextContents()).toEqual(shown)
    } finally {
      await browser.close()
      await child.stop()
    }
  })
})
