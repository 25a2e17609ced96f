// `muxi mcp new`: what it writes is checked, tested and run, with the packages that are installed here; and what it asks and refuses.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { newMcpServer } from '../../cli/mcp-new.ts'
import type { Terminal } from '../../cli/mcp-questions.ts'
import { TRANSPORTS } from '../../mcp/generator.ts'
import { ROOT } from '../support/children.ts'
import { CONFORMING_GENERATED, conformingScenarios, LEFT_OUT_OF_GENERATED } from '../support/conformance.ts'
import { runIn, startIn } from '../support/generated.ts'
import { NODE } from '../support/mcp-servers.ts'
import { News } from '../support/news.ts'

const TSC = `${ROOT}node_modules/typescript/bin/tsc`
const VITEST = `${ROOT}node_modules/vitest/vitest.mjs`
const TOOLS = [
  "weather(city: string, days?: integer, unit: metric|imperial, tags: string[]) Tells a city's weather, \\ `${1}` too",
  'fetch-page(url: string, deep: boolean, weight: number, postalCode?: string, sizes?: number[]) Reads a page',
  'delete Has the name of a word of the language',
]

function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'muxi-generated-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted()
}

it.each(TRANSPORTS)(
  'what it writes for %s type-checks and passes its tests',
  { timeout: 120_000 },
  async (transport) => {
    const cwd = tempFolder()
    const tools = TOOLS.flatMap((tool) => ['--tool', tool])
    const env = transport === 'http' ? [] : ['--env', 'SERVICE_KEY', '--env', 'OTHER_KEY']
    const said = await newMcpServer(['made-here', '--transport', transport, ...tools, ...env], cwd, undefined)
    expect(said).toMatch(/^made-here: \d+ files in made-here\n/)
    const folder = join(cwd, 'made-here')
    const written = files(folder)
    expect(written.some((file) => file.includes('http'))).toBe(transport !== 'stdio')
    expect(written.some((file) => file.includes('stdio'))).toBe(transport !== 'http')
    expect(written.includes('.env.example')).toBe(env.length > 0)
    for (const file of written)
      expect(readFileSync(join(folder, file), 'utf8'), file).not.toMatch(/template-server|\/\/ <|<!--/)
    symlinkSync(`${ROOT}node_modules`, join(folder, 'node_modules'))
    await runIn(folder, NODE, TSC, '--noEmit')
    expect(await runIn(folder, NODE, VITEST, 'run', '--no-color')).toMatch(/Tests +\d+ passed \(\d+\)/)
    if (transport === 'stdio') return
    const main = transport === 'both' ? 'dist/main.js' : 'src/main.ts'
    if (transport === 'both') await runIn(folder, NODE, TSC, '--project', 'tsconfig.build.json')
    writeFileSync(join(folder, '.env'), 'SERVICE_KEY=one\nOTHER_KEY=two\n')
    const served = await startIn(folder, NODE, '--env-file=.env', main, ...(transport === 'both' ? ['--http'] : []))
    try {
      expect(await conformingScenarios(served.url, LEFT_OUT_OF_GENERATED)).toEqual(CONFORMING_GENERATED)
    } finally {
      expect(await served.stop()).toBe(0)
    }
  },
)

it('asks for missing values, again after an invalid answer', async () => {
  const cwd = tempFolder()
  mkdirSync(join(cwd, 'taken'))
  writeFileSync(join(cwd, 'taken', 'file'), '')
  const somebody = new Somebody()
  const writing = newMcpServer(['--env', 'SERVICE_KEY'], cwd, somebody.terminal)
  await somebody.answers('What is it called?', 'Not This', "'name' must be 1 to 64 lower-case")
  await somebody.corrects('asked')
  await somebody.answers('Where is it to be?', '', undefined)
  await somebody.answers('What is it for', 'Answers questions.', undefined)
  await somebody.answers('How is it reached?', '\u001b[B', undefined)
  await somebody.answers('A tool of it:', 'question(of: string)', "'tool' must be described")
  await somebody.corrects('question(of: string) Is asked')
  await somebody.answers('Another tool', '', undefined)
  expect(await writing).toMatch(/^asked: \d+ files in asked\n/)
  const folder = join(cwd, 'asked')
  expect(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))).toMatchObject({
    name: 'asked',
    description: 'Answers questions.',
    bin: { asked: 'dist/main.js' },
  })
  expect(readFileSync(join(folder, 'src/tools/question.ts'), 'utf8')).toContain("description: 'Is asked'")
  expect(readFileSync(join(folder, '.env.example'), 'utf8')).toBe('SERVICE_KEY=\n')
  expect(files(folder)).not.toContain('src/http.ts')
})

it('writes nothing when it is cancelled', async () => {
  const cwd = tempFolder()
  const somebody = new Somebody()
  const writing = newMcpServer(['asked'], cwd, somebody.terminal)
  writing.catch(() => {})
  await somebody.answers('Where is it to be?', '\u0003', undefined)
  await expect(writing).rejects.toThrow('Called off')
  expect(readdirSync(cwd)).toEqual([])
})

it('refuses to overwrite, and leaves existing files unchanged', async () => {
  const cwd = tempFolder()
  const write = (...args: string[]) => newMcpServer(args, cwd, undefined)
  await write('mine', '--transport', 'stdio')
  const before = files(join(cwd, 'mine'))
  await expect(write('mine', '--transport', 'http')).rejects.toThrow("'dir' must be empty, or not there yet, got")
  await expect(write('mine', '--dir', 'mine/package.json')).rejects.toThrow("'dir' must be a folder")
  expect(files(join(cwd, 'mine'))).toEqual(before)
  expect(readdirSync(cwd)).toEqual(['mine'])
  mkdirSync(join(cwd, 'empty'))
  await write('mine', '--dir', 'empty')
  expect(files(join(cwd, 'empty'))).toContain('package.json')
})

/** A user at a terminal, who waits for a question before they answer. */
class Somebody {
  readonly #input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} })
  readonly #output = Object.assign(new PassThrough(), { isTTY: true, columns: 200, rows: 50 })
  readonly #news = new News()
  #seen = ''

  constructor() {
    this.#output.setEncoding('utf8').on('data', (text: string) => {
      this.#seen += stripVTControlCharacters(text)
      this.#news.more()
    })
  }

  get terminal(): Terminal {
    return { input: this.#input, output: this.#output }
  }

  /** @param refusal what is said of the answer, when it does not do */
  async answers(question: string, answer: string, refusal: string | undefined): Promise<void> {
    await this.#sees(question)
    this.#seen = ''
    this.#input.write(answer)
    this.#input.write('\r')
    if (refusal !== undefined) await this.#sees(refusal)
  }

  /** Takes back what stands there and answers again. */
  async corrects(answer: string): Promise<void> {
    this.#input.write('\u0015')
    this.#input.write(answer)
    this.#input.write('\r')
  }

  #sees(words: string): Promise<unknown> {
    return this.#news.first(
      () => (this.#seen.includes(words) ? words : undefined),
      10_000,
      () => `the terminal showing '${words}'; it showed:\n${this.#seen}`,
    )
  }
}
