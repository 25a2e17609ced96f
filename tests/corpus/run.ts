// Ingests every file of a folder by a running muxi and says how well each was read:
//   npm run corpus -- <folder> [--truth <folder>] [--out <file.jsonl>]
// The truth of `a/b.docx` is `a/b.docx.md`, `a/b.md` or `.txt` below the folder of truths. Without one, a file has no scores.
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, extname, join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { mapAll } from '../../contracts/map-all.ts'
import { Slots } from '../../contracts/slots.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { scoreOf, wordsOf, type Score } from './score.ts'

/** Files in work at once. */
const AT_ONCE = 2
/** Longest time for a file, in milliseconds; longer counts as a hang. */
const LONGEST_MS = 300_000
const POLL_MS = 50

interface Read {
  file: string
  format: string
  status: string
  /** Of a failed job: its reason. */
  error?: string
  notices: string[]
  words: number
  seconds: number
  score?: Score
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { truth: { type: 'string' }, out: { type: 'string' } },
})
const [folder] = positionals
if (folder === undefined) {
  process.stderr.write('Usage: npm run corpus -- <folder> [--truth <folder>] [--out <file.jsonl>]\n')
  process.exit(2)
}

const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
  .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
  .toSorted()
if (values.out !== undefined) writeFileSync(values.out, '')

const stage = await openStage()
try {
  const muxi = await stage.start('all')
  const reads: Read[] = []
  const slots = new Slots(AT_ONCE)
  const never = new AbortController().signal
  await mapAll(files, async (file) => {
    const give = await slots.take(never)
    const read = await readOne(stage, muxi, file).finally(give)
    reads.push(read)
    if (values.out !== undefined) appendFileSync(values.out, `${JSON.stringify(read)}\n`)
    process.stdout.write(`${lineOf(read)}\n`)
  })
  process.stdout.write(summaryOf(reads))
} finally {
  await stage.close()
}

async function readOne(on: Stage, { url }: Muxi, file: string): Promise<Read> {
  const started = performance.now()
  const format = extname(file).slice(1).toLowerCase() || 'none'
  const seconds = () => Number(((performance.now() - started) / 1_000).toFixed(2))
  const refused = (status: string, error: string): Read => ({
    file,
    format,
    status,
    error,
    notices: [],
    words: 0,
    seconds: seconds(),
  })
  const file_id = await on
    .upload(url, basename(file), readFileSync(join(folder!, file)))
    .catch((error: unknown) => error as Error)
  if (typeof file_id !== 'string') return refused('refused', file_id.message)
  const about = await on.call(url, `/api/v1/files/${file_id}`)
  const [kind] = /^(image|audio)/.exec(String(about.body?.media_type ?? about.body?.type)) ?? ['document']
  const begun = await on.call(url, '/api/v1/jobs', { body: { kind, file_id } })
  if (begun.status !== 202) return refused('refused', begun.body.error?.message ?? String(begun.status))
  const path = `/api/v1/jobs/${begun.body.id}`
  for (;;) {
    const { body } = await on.call(url, path)
    if (['completed', 'failed', 'cancelled'].includes(body.status)) {
      if (body.status !== 'completed') return refused(body.status, body.error?.message ?? '')
      const { text } = await on.call(url, `${path}/text?format=md`)
      const expected = truthOf(file)
      return {
        file,
        format,
        status: 'completed',
        notices: (body.result.notices ?? []).map(
          ({ message, count }: { message: string; count: number }) => `${message} (${count})`,
        ),
        words: wordsOf(text).length,
        seconds: seconds(),
        ...(expected !== undefined && { score: scoreOf(text, expected) }),
      }
    }
    if (performance.now() - started > LONGEST_MS) {
      await on.call(url, `${path}/cancel`, { method: 'POST' })
      return refused('hung', `not read within ${LONGEST_MS / 1_000} s`)
    }
    await delay(POLL_MS)
  }
}

function truthOf(file: string): string | undefined {
  if (values.truth === undefined) return undefined
  const stem = file.slice(0, file.length - extname(file).length)
  const path = [`${file}.md`, `${file}.txt`, `${stem}.md`, `${stem}.txt`]
    .map((name) => join(values.truth!, name))
    .find((each) => existsSync(each))
  return path === undefined ? undefined : readFileSync(path, 'utf8')
}

function lineOf({ file, status, words, seconds, score, error, notices }: Read): string {
  const scores = score && `recall ${percent(score.recall)}, precision ${percent(score.precision)}`
  return [file, status, `${words} words`, `${seconds} s`, scores, error, ...notices].filter(Boolean).join(' | ')
}

function summaryOf(reads: readonly Read[]): string {
  const lines = [
    '',
    '| format | files | read | words | seconds | recall | precision | numbers | neighbours |',
    '|---|---|---|---|---|---|---|---|---|',
  ]
  for (const format of [...new Set(reads.map((read) => read.format))].toSorted()) {
    const these = reads.filter((read) => read.format === format)
    const scores = these.flatMap(({ score }) => score ?? [])
    const cells = [
      format,
      these.length,
      these.filter(({ status }) => status === 'completed').length,
      sumOf(these.map(({ words }) => words)),
      sumOf(these.map(({ seconds }) => seconds)).toFixed(1),
      ...(['recall', 'precision', 'numbers', 'neighbours'] as const).map((name) =>
        meanOf(scores.flatMap((score) => score[name] ?? [])),
      ),
    ]
    lines.push(`| ${cells.join(' | ')} |`)
  }
  const worst = reads.filter(({ score }) => score).toSorted((a, b) => a.score!.recall - b.score!.recall)
  if (worst.length > 0) lines.push('', 'The worst ten:', ...worst.slice(0, 10).map(lineOf))
  return `${lines.join('\n')}\n`
}

function percent(part: number): string {
  return part.toFixed(2)
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0)
}

function meanOf(numbers: readonly number[]): string {
  return numbers.length === 0 ? '' : percent(sumOf(numbers) / numbers.length)
}
