// What `npm ci --omit=dev` installs, from the registry: its size, and whether what is left of the packages still works.
import { execFileSync } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from '../support/children.ts'
import { numberedPages, pdf } from '../support/pdf.ts'
import { tempDir } from '../support/temp-dir.ts'

const MOST_MIB = 450

const SCRIPT = `
await import('./cli/process.ts')
const { workflowBundle } = await import('./workers/workflow-bundle.ts')
const { codePath } = await workflowBundle('bundle')
const { existsSync, readFileSync } = await import('node:fs')
const bytes = readFileSync('one.pdf')
const { LiteParse } = await import('@llamaindex/liteparse')
const { totalPages } = await new LiteParse({ ocrEnabled: false, quiet: true }).parse(bytes)
globalThis.DOMMatrix ??= class {}
const { getDocument } = await import('pdfjs-dist/legacy/build/pdf.mjs')
const page = await (await getDocument({ data: new Uint8Array(bytes) }).promise).getPage(1)
const text = (await page.getTextContent()).items.map(({ str }) => str).join(' ')
const { createWorker, OEM } = await import('tesseract.js')
const langPath = 'node_modules/@tesseract.js-data/eng/4.0.0_best_int'
const worker = await createWorker('eng', OEM.LSTM_ONLY, { langPath, cacheMethod: 'none', gzip: true })
await worker.terminate()
const { evaluate } = await import('mathjs')
console.log(JSON.stringify({ bundled: existsSync(codePath), totalPages, read: text.includes('Chapter 1'), sum: evaluate('1 + 2') }))
process.exit(0)
`

it(`takes at most ${MOST_MIB} MiB, and it bundles workflows, reads PDFs, recognizes text and calculates`, () => {
  const root = tempDir()
  cpSync(ROOT, root, {
    recursive: true,
    filter: (path) => !/^(\.git|data|coverage|tests)$|(^|\/)node_modules$/.test(path.slice(ROOT.length)),
  })
  writeFileSync(join(root, 'one.pdf'), pdf(numberedPages(1)))
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { cwd: root, encoding: 'utf8' })
  run('npm', 'ci', '--omit=dev', '--no-fund', '--no-audit', '--loglevel=error')
  expect(Number(run('du', '-sm', 'node_modules').split('\t')[0])).toBeLessThanOrEqual(MOST_MIB)
  const said = run('node_modules/node/bin/node', '--input-type=module', '--eval', SCRIPT)
  expect(JSON.parse(said.trim().split('\n').at(-1)!)).toEqual({ bundled: true, totalPages: 1, read: true, sum: 3 })
})
