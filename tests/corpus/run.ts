// Ingests every file of a folder by a running muxi and says how well each was read:
//   npm run corpus -- <folder> [--truth <folder>] [--beside <folder>]... [--only <group>]... [--save <folder>] [--scores]
// --truth: expected texts; that of `a/b.docx` is `a/b.docx.md`, `a/b.md` or `.txt` below it. Without one a file has no scores.
// --beside: what another tool made of the files, `a/b.docx.md` for `a/b.docx`; it is scored by the same measure.
// --only: files of this group alone. A group is the folder that a file is in, or of files in <folder> itself their extension.
// --save: where muxi's texts go, laid out likewise, and the outcome of each file (`reads.jsonl`).
// --scores: reads nothing; compares the texts that are in --save.
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, extname, join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { mapAll } from '../../contracts/map-all.ts'
import { Slots } from '../../contracts/slots.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { lineOf, tablesOf, type Read } from './table.ts'

/** Files in work at once. */
const AT_ONCE = 2
/** Longest time for a file, in milliseconds; longer counts as a hang. */
const LONGEST_MS = 300_000
const POLL_MS = 50
/** Of the folder of texts: the outcome of each file, one in a line. */
const READS = 'reads.jsonl'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    truth: { type: 'string' },
    beside: { type: 'string', multiple: true, default: [] },
    only: { type: 'string', multiple: true, default: [] },
    save: { type: 'string' },
    scores: { type: 'boolean', default: false },
  },
})
const [folder] = positionals
if (folder === undefined || (values.scores && values.save === undefined)) {
  process.stderr.write(
    'Usage: npm run corpus -- <folder> [--truth <folder>] [--beside <folder>]... [--only <group>]... [--save <folder>] [--scores]\n',
  )
  process.exit(2)
}

const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
  .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
  .filter((file) => values.only.length === 0 || values.only.includes(groupOf(file)))
  .toSorted()

const reads = values.scores ? savedReads() : await readAll()
const asked = new Set(reads.map(({ file }) => file))
const expected = files
  .filter((file) => asked.has(file))
  .map((file) => ({ file, group: groupOf(file), truth: truthOf(file) }))
const tools = [
  { name: 'muxi', texts: new Map(reads.flatMap(({ file, text }) => (text === undefined ? [] : [[file, text]]))) },
  ...values.beside.map((beside) => ({ name: basename(beside), texts: savedTexts(beside) })),
]
process.stdout.write(tablesOf(expected, tools, reads))

async function readAll(): Promise<Read[]> {
  const stage = await openStage()
  try {
    const muxi = await stage.start('all')
    const all: Read[] = []
    const slots = new Slots(AT_ONCE)
    const never = new AbortController().signal
    await mapAll(files, async (file) => {
      const give = await slots.take(never)
      const read = await readOne(stage, muxi, file).finally(give)
      all.push(read)
      save(read)
      process.stdout.write(`${lineOf(read)}\n`)
    })
    return all
  } finally {
    await stage.close()
  }
}

async function readOne(on: Stage, { url }: Muxi, file: string): Promise<Read> {
  const started = performance.now()
  const ended = (status: string, more: Partial<Read>): Read => {
    const seconds = Number(((performance.now() - started) / 1_000).toFixed(2))
    return { file, status, notices: [], seconds, ...more }
  }
  const file_id = await on
    .upload(url, basename(file), readFileSync(join(folder!, file)))
    .catch((error: unknown) => error as Error)
  if (typeof file_id !== 'string') return ended('refused', { error: file_id.message })
  const about = await on.call(url, `/api/v1/files/${file_id}`)
  const [kind] = /^audio/.exec(String(about.body?.media_type ?? about.body?.type)) ?? ['document']
  const begun = await on.call(url, '/api/v1/jobs', { body: { kind, file_id } })
  if (begun.status !== 202) return ended('refused', { error: begun.body.error?.message ?? String(begun.status) })
  const path = `/api/v1/jobs/${begun.body.id}`
  for (;;) {
    const { body } = await on.call(url, path)
    if (body.status === 'completed') {
      const { text: labelled } = await on.call(url, `${path}/text?format=md`)
      // The number of a slide, and the word before the name of a sheet, are no text of them.
      const text = labelled.replaceAll(/^\*\*Slide \d+\*\*$/gm, '').replaceAll(/^\*\*Sheet (.+)\*\*$/gm, '**$1**')
      const notices = (body.result.notices ?? []).map(
        ({ message, count }: { message: string; count: number }) => `${message} (${count})`,
      )
      return ended('completed', { text, notices })
    }
    if (['failed', 'cancelled'].includes(body.status)) return ended(body.status, { error: body.error?.message ?? '' })
    if (performance.now() - started > LONGEST_MS) {
      await on.call(url, `${path}/cancel`, { method: 'POST' })
      return ended('hung', { error: `not read within ${LONGEST_MS / 1_000} s` })
    }
    await delay(POLL_MS)
  }
}

function groupOf(file: string): string {
  return dirname(file) === '.' ? extname(file).slice(1).toLowerCase() || 'none' : dirname(file)
}

function truthOf(file: string): string | undefined {
  if (values.truth === undefined) return undefined
  const stem = file.slice(0, file.length - extname(file).length)
  const path = [`${file}.md`, `${file}.txt`, `${stem}.md`, `${stem}.txt`]
    .map((name) => join(values.truth!, name))
    .find((each) => existsSync(each))
  return path === undefined ? undefined : readFileSync(path, 'utf8')
}

function save({ text, ...read }: Read): void {
  if (values.save === undefined) return
  const path = join(values.save, `${read.file}.md`)
  mkdirSync(dirname(path), { recursive: true })
  if (text === undefined) rmSync(path, { force: true })
  else writeFileSync(path, text)
  appendFileSync(join(values.save, READS), `${JSON.stringify(read)}\n`)
}

/** What was saved last of each file. */
function savedReads(): Read[] {
  const lines = readFileSync(join(values.save!, READS), 'utf8').split('\n').filter(Boolean)
  const last = new Map(lines.map((line) => JSON.parse(line) as Read).map((read) => [read.file, read]))
  const texts = savedTexts(values.save!)
  return files.flatMap((file) => {
    const read = last.get(file)
    return read === undefined ? [] : [{ ...read, text: texts.get(file) }]
  })
}

function savedTexts(from: string): Map<string, string> {
  const paths = files.map((file) => [file, join(from, `${file}.md`)] as const)
  return new Map(paths.filter(([, path]) => existsSync(path)).map(([file, path]) => [file, readFileSync(path, 'utf8')]))
}
