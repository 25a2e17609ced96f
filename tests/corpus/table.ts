// What `npm run corpus` prints: a table with a row per group of files and tool, and the files that fall short of the targets.
import { scoreOf, wordsOf, type Score } from './score.ts'

/** What muxi made of a file. */
export interface Read {
  file: string
  status: string
  /** Of a file that was not read: the reason. */
  error?: string
  text?: string | undefined
  notices: string[]
  seconds: number
}

/** A tool, and the text of each file that it has read. */
interface Tool {
  name: string
  texts: ReadonlyMap<string, string>
}

interface Expected {
  file: string
  group: string
  truth: string | undefined
}

type Measure = keyof Score

/** How far below the best tool muxi may be. */
const TARGETS = { recall: 0.01, numbers: 0.01, f1: 0.02, neighbours: 0.05 }
const MEASURES = ['recall', 'precision', 'f1', 'numbers', 'neighbours'] as const
/** Files that are named in a list. */
const LISTED = 10

/** A line on one file. */
export function lineOf({ file, status, text, seconds, error, notices }: Read): string {
  const words = text === undefined ? undefined : `${wordsOf(text).length} words`
  return [file, status, words, `${seconds} s`, error, ...notices].filter(Boolean).join(' | ')
}

/** The table of all groups, then the files of each group that fall short of a target. */
export function tablesOf(expected: readonly Expected[], tools: readonly Tool[], reads: readonly Read[]): string {
  const byFile = new Map(reads.map((read) => [read.file, read]))
  const rows: string[] = []
  const short: string[] = []
  for (const group of [...new Set(expected.map((each) => each.group))].toSorted()) {
    const files = expected.filter((each) => each.group === group)
    const scores = tools.map(({ texts }) => files.map((each) => scoreOfFile(each, texts)))
    for (const [index, { name, texts }] of tools.entries()) {
      const read = files.filter(({ file }) => texts.has(file)).length
      const seconds = sumOf(files.map(({ file }) => byFile.get(file)?.seconds ?? 0)).toFixed(0)
      const cells = MEASURES.map((measure) => figure(meanOf(scores[index]!, measure)))
      rows.push(
        row([
          group,
          name,
          files.length,
          read,
          scores[index]!.filter(Boolean).length,
          ...cells,
          index === 0 ? seconds : '',
        ]),
      )
    }
    short.push(...shortOf(files, tools, scores))
  }
  const head = [
    'files',
    'tool',
    'n',
    'read',
    'with truth',
    'recall',
    'precision',
    'F1',
    'numbers',
    'neighbours',
    'seconds',
  ]
  const lines = [row(head), row(head.map(() => '---')), ...rows, '', 'Short of the targets:', ...short]
  const unread = reads.filter(({ text }) => text === undefined)
  lines.push('', 'Not read:', ...unread.map(lineOf), '', 'Ended:', ...endsOf(reads))
  return `\n${lines.join('\n')}\n`
}

/** The score of one file; one that was not read has none of its words. */
function scoreOfFile({ file, truth }: Expected, texts: ReadonlyMap<string, string>): Partial<Score> | undefined {
  if (truth === undefined) return undefined
  const text = texts.get(file)
  const { precision, ...score } = scoreOf(text ?? '', truth)
  return text === undefined ? score : { precision, ...score }
}

/** Of each measure that falls short in a group: the files that cost it most. */
function shortOf(
  files: readonly Expected[],
  tools: readonly Tool[],
  scores: readonly (Partial<Score> | undefined)[][],
): string[] {
  const lines: string[] = []
  for (const [measure, below] of Object.entries(TARGETS) as [Measure, number][]) {
    const means = scores.map((each) => meanOf(each, measure))
    const best = Math.max(...means.map((mean) => mean ?? 0))
    if (means[0] === undefined || means[0] >= best - below) continue
    lines.push('', `${files[0]!.group}, ${measure}: ${figure(means[0])}, best ${figure(best)}`)
    const losses = files.map(({ file }, index) => {
      const own = scores[0]![index]?.[measure]
      const others = scores.slice(1).map((each) => each[index]?.[measure] ?? 0)
      return { file, own, others, loss: own === undefined ? 0 : Math.max(...others) - own }
    })
    for (const { file, own, others, loss } of losses.toSorted((a, b) => b.loss - a.loss).slice(0, LISTED))
      if (loss > below) {
        const beside = others.map((other, index) => `${tools[index + 1]!.name} ${figure(other)}`)
        lines.push(`  ${file}: ${figure(own)} (${beside.join(', ')})`)
      }
  }
  return lines
}

function endsOf(reads: readonly Read[]): string[] {
  const counts = Map.groupBy(reads, ({ status }) => status)
  return [...counts].map(([status, these]) => `${status}: ${these.length}`)
}

function row(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`
}

function figure(number: number | undefined): string {
  return number === undefined ? '' : number.toFixed(2)
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0)
}

function meanOf(scores: readonly (Partial<Score> | undefined)[], measure: Measure): number | undefined {
  const numbers = scores.flatMap((score) => score?.[measure] ?? [])
  return numbers.length === 0 ? undefined : sumOf(numbers) / numbers.length
}
