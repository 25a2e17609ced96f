// The package @muxi/client as it is published: what it holds, what it weighs, and where it runs.
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { beforeAll, expect, it } from 'vitest'
import { ROOT } from '../support/children.ts'
import {
  CORE_PAGE,
  installClient,
  type Installed,
  runIn,
  RUNTIMES,
  SOCKET_CHUNKS,
  sizeOf,
  startTinyServer,
  TYPED_PROJECT,
} from '../support/client-package.ts'

const run = promisify(execFile)
const BIN = join(ROOT, 'node_modules/.bin')
/** Of everything that `tsc` reads for a small project, its own libraries included: about twice what it takes. */
const MOST_INSTANTIATIONS = 20_000
const MOST_TYPES = 20_000

let installed: Installed
let declarations: [name: string, text: string][]
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'muxi-client-'))
  installed = await installClient(folder)
  const files = readdirSync(installed.folder, { recursive: true, encoding: 'utf8' })
  const names = files.filter((name) => name.endsWith('.d.ts'))
  declarations = names.map((name) => [name, readFileSync(join(installed.folder, name), 'utf8')])
  return () => rmSync(folder, { recursive: true, force: true })
})

it('has no fault that publint or attw finds', async () => {
  const [lint, types] = await Promise.all([
    run(join(BIN, 'publint'), ['run', installed.tarball, '--strict']),
    run(join(BIN, 'attw'), [installed.tarball, '--profile', 'esm-only', '--format', 'ascii']),
  ])
  expect(lint.stdout).toContain('All good!')
  expect(types.stderr).toBe('')
})

it('has no dependencies, and no any in its declarations', () => {
  const manifest = JSON.parse(readFileSync(join(installed.folder, 'package.json'), 'utf8'))
  expect(Object.keys(manifest).filter((name) => /dependencies/i.test(name))).toEqual([])
  const faults = declarations.flatMap(([name, text]) => {
    const file = ts.createSourceFile(name, text, ts.ScriptTarget.ESNext, true)
    const found: string[] = []
    const visit = (node: ts.Node): void => {
      if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(`${name}: ${node.parent.getText()}`)
      ts.forEachChild(node, visit)
    }
    visit(file)
    const packages = ts.preProcessFile(text).importedFiles.filter(({ fileName }) => !fileName.startsWith('.'))
    return [...found, ...packages.map(({ fileName }) => `${name} imports ${fileName}`)]
  })
  expect(faults).toEqual([])
  expect(declarations.length).toBeGreaterThan(3)
})

const PROGRAM = `import { muxi, NotFoundError } from '@muxi/client'
const [serverUrl, apiKey] = globalThis.process.argv.slice(-2)
const app = muxi({ serverUrl, apiKey })
console.log(\`\${await app.chat('Hello')}\`)
for await (const event of app.chat('Hello', { stream: true })) globalThis.process.stdout.write(\`\${event}|\`)
try {
  await app.chat('Hello', { agentName: 'unknown' })
} catch (error) {
  console.log(error instanceof NotFoundError, error.name)
}
`

it.for(Object.keys(RUNTIMES) as (keyof typeof RUNTIMES)[])('runs on %s', async (runtime) => {
  const server = await startTinyServer()
  try {
    writeFileSync(join(installed.project, 'main.js'), PROGRAM)
    const said = await runIn(installed.project, runtime, 'main.js', server.url, 'sk_muxi_1')
    expect(said).toBe('Hello to you.\n|Hello |to you.||true NotFoundError\n')
  } finally {
    await server.close()
  }
})

const TYPED = `import { muxi, type ChatReply, MuxiError } from '@muxi/client'
const app = muxi({ serverUrl: 'http://127.0.0.1:5050', apiKey: 'sk_muxi_1' })
const reply: ChatReply = await app.chat('Hello', { agentName: 'assistant' })
const tokens: number = reply.usage?.input_tokens ?? 0
for await (const event of app.chat('Hello', { stream: true })) if (event.type === 'content') event.data.step.toFixed()
for await (const agent of app.agents.list()) agent.model.provider.toUpperCase()
// @ts-expect-error -- no such option
await app.chat('Hello', { agentname: 'assistant' })
export const codes = (error: unknown) => (error instanceof MuxiError ? error.code : tokens)
`

it('is type-checked quickly in a project of its user', async () => {
  writeFileSync(join(installed.project, 'main.ts'), TYPED)
  writeFileSync(join(installed.project, 'tsconfig.json'), JSON.stringify(TYPED_PROJECT))
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const { stdout } = await run(process.execPath, [tsc, '-p', installed.project, '--extendedDiagnostics'])
  const count = (name: string) => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(stdout)?.[1])
  expect(count('Types')).toBeLessThan(MOST_TYPES)
  expect(count('Instantiations')).toBeLessThan(MOST_INSTANTIATIONS)
})

it('is small', async () => {
  const core = await sizeOf(installed.project, CORE_PAGE)
  const withSocket = await sizeOf(installed.project, CORE_PAGE, SOCKET_CHUNKS)
  expect(core).toBeLessThanOrEqual(8 * 1024)
  expect(withSocket).toBeLessThanOrEqual(12 * 1024)
  expect(withSocket).toBeGreaterThan(core)
})
