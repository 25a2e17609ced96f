// Reads docs/api.md: runs its commands as they are written, compares the answers with those in the document, and can write new ones into it.
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { checkCurl, CURL_REPORT } from './api-check.ts'

/** Blocks of a request and of its answer, one after the other. */
const BLOCK = /```(sh|json|text)\n([\s\S]*?)```/g
/** curl's exit code when `--max-time` has ended a stream that has no end. */
const TIMED_OUT = 28
const COMMAND_MS = 60_000
/** Ids in the document are the prefix and the last six digits. */
const ID = /(?<![a-z])([a-z]{3,4}_)([0-9a-f]{26})([0-9a-f]{6})\b/g
const SHORT_ID = /(?<![a-z])[a-z]{3,4}_[0-9a-f]{6}\b/g
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
const SECRET = /sk_muxi_[\w-]+/g
const MAX_TEXT = 160

export interface Example {
  command: string
  /** The answer in the document; empty when it has none. */
  answer: string
  kind: 'json' | 'text'
  /** Where the answer is in the document. */
  at: { start: number; end: number } | undefined
}

/** The examples of a document, in order. Blocks of `export` are the reader's own. */
export function readExamples(file: string): Example[] {
  const text = readFileSync(file, 'utf8')
  const examples: Example[] = []
  for (const match of text.matchAll(BLOCK)) {
    const [, kind, body = ''] = match
    if (kind === 'sh') examples.push({ command: body.trim(), answer: '', kind: 'json', at: undefined })
    else {
      const last = examples.at(-1)
      if (!last || last.at) continue
      const start = match.index + match[0].indexOf('\n') + 1
      Object.assign(last, { answer: body, kind, at: { start, end: start + body.length } })
    }
  }
  return examples.filter(({ command }) => !command.startsWith('export '))
}

/** The operations that a command calls with curl, such as `GET /api/v1/agents/x`. */
export function operationsOf(command: string): { method: string; path: string }[] {
  return command.split(/\bcurl\b/).flatMap((call) => {
    const path = /\$MUXI(\/[^\s"'?\\]*)/.exec(call)?.[1]
    if (path === undefined) return []
    const method = / -X ([A-Z]+)/.exec(call)?.[1] ?? (/ (--json|-F|-d|--data-binary) /.test(call) ? 'POST' : 'GET')
    return [{ method: / -I /.test(call) ? 'HEAD' : method, path }]
  })
}

/** Runs the commands of a document one after the other, in one folder. */
export class ExampleRun {
  readonly #env: Record<string, string>
  readonly #folder: string
  /** Ids of the document, with those of this run. */
  readonly #ids = new Map<string, string>()

  /** @param env `MUXI` and `AUTH`, as the document's reader sets them */
  constructor(folder: string, env: Record<string, string>) {
    this.#folder = folder
    this.#env = env
  }

  /** Ids of the document, with those of this run. */
  get ids(): ReadonlyMap<string, string> {
    return this.#ids
  }

  /** @returns what the command wrote. @throws when it failed */
  async run({ command }: Example): Promise<string> {
    const script = command.replaceAll(SHORT_ID, (id) => this.#ids.get(id) ?? id)
    return new Promise((resolve, reject) => {
      const options = {
        cwd: this.#folder,
        env: { PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`, ...this.#env },
        timeout: COMMAND_MS,
        maxBuffer: 16 * 2 ** 20,
      }
      execFile(
        'bash',
        ['-c', `curl() { command curl -sS ${CURL_REPORT} "$@"; }\n${script}`],
        options,
        (error, stdout, stderr) => {
          if (error && error.code !== TIMED_OUT) reject(new Error(`${script}\nfailed: ${stderr || error.message}`))
          else resolve(checkCurl(stderr, stdout).then(() => stdout))
        },
      )
    })
  }

  /** What is wrong with an answer, compared with the document's; empty when they have the same form. */
  compare({ answer, kind }: Example, actual: string): string[] {
    if (kind === 'json') {
      const faults: string[] = []
      this.#likeValue(JSON.parse(answer), JSON.parse(actual), '', faults)
      return faults
    }
    const lines = actual.split('\n')
    let from = 0
    const faults: string[] = []
    for (const line of answer.split('\n').filter((each) => each.trim() !== '' && each.trim() !== '…')) {
      const index = lines.findIndex((each, at) => at >= from && this.#likeLine(line, each))
      if (index === -1) faults.push(`there is no line like '${line}' in:\n${actual.slice(0, 2_000)}`)
      else from = index + 1
    }
    return faults
  }

  #likeLine(documented: string, actual: string): boolean {
    const start = /^(data: )?(?=[{[])/.exec(documented)
    if (start && actual.startsWith(start[0])) {
      const faults: string[] = []
      try {
        this.#likeValue(
          JSON.parse(documented.slice(start[0].length)),
          JSON.parse(actual.slice(start[0].length)),
          '',
          faults,
        )
        return faults.length === 0
      } catch {
        // Not JSON after all, such as one that is cut short in the document.
      }
    }
    return this.#likeText(documented, actual)
  }

  /** Text with `…` for whatever stands there, numbers, times and ids for others of their kind. */
  #likeText(documented: string, actual: string): boolean {
    const pattern = documented
      .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      .replaceAll('…', '[\\s\\S]*')
      .replaceAll(UUID, '[0-9a-f-]{36}')
      .replaceAll(/\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]+ GMT/g, '[\\w,: ]+ GMT')
      .replaceAll(/\d{4}-\d\d-\d\d(T[\d:]+(\\\.\d+)?Z)?/g, '[\\dTZ:.-]+')
      .replaceAll(SHORT_ID, (id) => `${id.replace(/[0-9a-f]{6}$/, '')}[0-9a-f]{32}`)
      .replaceAll(/(?<![\w{[\\-])\d+(\\\.\d+)?(?![\w}\]-])/g, '[\\d.]+')
    if (!new RegExp(`^${pattern}$`).test(actual)) return false
    const ids = actual.match(ID) ?? []
    for (const [index, id] of (documented.match(SHORT_ID) ?? []).entries()) {
      const full = ids[index]
      if (full !== undefined) this.#ids.set(id, full)
    }
    return true
  }

  #likeValue(documented: unknown, actual: unknown, path: string, faults: string[]): void {
    if (typeof documented === 'string') {
      if (typeof actual !== 'string' || !this.#likeText(documented, actual))
        faults.push(`'${path}' must be like '${documented}', got ${JSON.stringify(actual)?.slice(0, 200)}`)
    } else if (Array.isArray(documented)) {
      if (!Array.isArray(actual) || actual.length < documented.length)
        faults.push(
          `'${path}' must be a list of at least ${documented.length}, got ${JSON.stringify(actual)?.slice(0, 200)}`,
        )
      else documented.forEach((each, index) => this.#likeValue(each, actual[index], `${path}[${index}]`, faults))
    } else if (typeof documented === 'object' && documented !== null) {
      for (const [name, value] of Object.entries(documented))
        this.#likeValue(
          value,
          (actual as Record<string, unknown> | null)?.[name],
          path === '' ? name : `${path}.${name}`,
          faults,
        )
    } else if (typeof documented !== typeof actual || (typeof documented === 'boolean' && documented !== actual)) {
      faults.push(`'${path}' must be like ${String(documented)}, got ${JSON.stringify(actual)?.slice(0, 200)}`)
    }
  }
}

/** Writes answers into a document, shortened: lists to one item, texts, and ids. The ids in commands become those of the answers. */
export function writeAnswers(
  file: string,
  answers: { example: Example; actual: string }[],
  ids: ReadonlyMap<string, string>,
): void {
  let text = readFileSync(file, 'utf8')
  for (const { example, actual } of answers.toReversed()) {
    if (!example.at) continue
    const shown = example.kind === 'json' ? `${layout(shortened(JSON.parse(actual)))}\n` : brief(actual)
    text = text.slice(0, example.at.start) + clean(shown) + text.slice(example.at.end)
  }
  const short = (id: string) => (ids.get(id) ?? id).replace(ID, '$1$3')
  writeFileSync(file, text.replaceAll(SHORT_ID, short))
}

/** Without what belongs to this run alone. */
function clean(shown: string): string {
  return shown
    .replaceAll(SECRET, 'sk_muxi_…')
    .replaceAll(/("ticket": ")[^"]*/g, '$1…')
    .replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, 'http://127.0.0.1:5050')
    .replaceAll(ID, '$1$3')
}

function shortened(value: unknown): unknown {
  if (typeof value === 'string') return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT / 2)}…` : value
  if (Array.isArray(value)) return value.slice(0, 1).map(shortened)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shortened(each)]))
}

const MAX_FRAMES = 14
const MAX_PARAGRAPHS = 4
const MAX_LINE = 400

/** A stream with the first only of events that follow each other, and with lines cut; other text without its later paragraphs. */
function brief(actual: string): string {
  const isFrames = actual.startsWith('{"type":')
  const isStream = isFrames || /^(event|id|data): /m.test(actual)
  const frames = clean(actual)
    .trimEnd()
    .split(isFrames ? '\n' : '\n\n')
  const typeOf = (frame = '') => /^(?:event: |{"type":")(\w+)/m.exec(frame)?.[1]
  const shown = frames
    .filter((frame, index) => typeOf(frame) === undefined || typeOf(frame) !== typeOf(frames[index - 1]))
    .map((frame) => {
      // How a text is cut into pieces is not the same in the next run.
      const isText = /^(chat_)?content$/.test(typeOf(frame) ?? '')
      const lines = (isText ? frame.replace(/("content":"[^"]{0,8})[^"]*"/, '$1…"') : frame).split('\n')
      return lines.map((line) => (line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line)).join('\n')
    })
  return `${shown.slice(0, isStream ? MAX_FRAMES : MAX_PARAGRAPHS).join(isFrames ? '\n' : '\n\n')}\n`
}

const WIDTH = 120

/** JSON on one line, with spaces. */
function inLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inLine).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const items = Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${inLine(each)}`)
  return `{ ${items.join(', ')} }`.replace(/^{ {2}}$/, '{}')
}

/** JSON with as much on a line as there is room for. */
function layout(value: unknown, indent = ''): string {
  const line = inLine(value)
  if (indent.length + line.length <= WIDTH || typeof value !== 'object' || value === null) return line
  const inner = `${indent}  `
  const items = Array.isArray(value)
    ? value.map((each) => `${inner}${layout(each, inner)}`)
    : Object.entries(value).map(([name, each]) => `${inner}${JSON.stringify(name)}: ${layout(each, inner)}`)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${items.join(',\n')}\n${indent}${close}`
}
