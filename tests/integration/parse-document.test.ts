// Documents read in a child process, good ones and all the bad ones: the fault is named, and no process is left.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import {
  expectDocument,
  inspectDocument,
  PARSER,
  parsePages,
  readDocument,
} from '../../media/document/parse-document.ts'
import type { ParseLimits } from '../../media/document/parse-limits.ts'
import { type ChildKind, scriptCommand } from '../../media/process/child-kind.ts'
import { endIdleChildren, withChild } from '../../media/process/child-pool.ts'
import { endSpares } from '../../media/process/spares.ts'
import { startChild } from '../support/children.ts'
import { numberedPages, pdf } from '../support/pdf.ts'
import { tempDir } from '../support/temp-dir.ts'

const LIMITS: ParseLimits = { memory_mb: 512, time_ms: 30_000, output_bytes: 8_000_000, max_pages: 5_000 }
const options = (limits: Partial<ParseLimits> = {}, signal = new AbortController().signal) => ({
  signal,
  limits: { ...LIMITS, ...limits },
})
/** A parser that is third-party code. */
const instead = (code: string): ChildKind => ({
  ...PARSER,
  samples: [],
  command: () => [process.execPath, ['-e', `/* muxi stand-in of ${process.pid} */ ${code}`]],
})

function file(content: string | Buffer): string {
  const path = join(tempDir(), 'document')
  writeFileSync(path, content)
  return path
}

/** Processes that this one has started and that still live. */
function childrenNow(): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      const parser =
        command.includes(`parse-child.ts\0${process.pid}\0`) || command.includes(`stand-in of ${process.pid} `)
      return parser && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')) ? [pid] : []
    } catch {
      return []
    }
  })
}

test('pages are read in batches, with their numbers, headings and sentences', async () => {
  const path = file(pdf(numberedPages(120)))
  expect(await inspectDocument(path, options())).toEqual({ kind: 'pdf', pages: 120 })
  const first = await parsePages(path, { from: 1, to: 50 }, options())
  const last = await parsePages(path, { from: 101, to: 150 }, options())
  expect(first.map(({ page }) => page)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
  expect(last.map(({ page }) => page)).toEqual(Array.from({ length: 20 }, (_, index) => index + 101))
  expect(first[6]!.text).toMatch(/^# Chapter 7\n/)
  expect(last[19]!.text).toContain('The keeper of lighthouse 120 counts 840 ships each morning.')
})

test('one parser serves the batches of a document, and exits with the idle ones', async () => {
  await endIdleChildren()
  const path = file(pdf(numberedPages(4)))
  await inspectDocument(path, options())
  // The second is the spare.
  await expect.poll(() => childrenNow().length).toBe(2)
  const pids = childrenNow()
  await parsePages(path, { from: 1, to: 2 }, options())
  expect(childrenNow()).toEqual(pids)
  await endIdleChildren()
  expect(childrenNow()).toEqual([])
})

test('a stored document has its parser started; text and pictures have not', async () => {
  await endIdleChildren()
  expectDocument('text/plain', LIMITS.memory_mb)
  expectDocument('image/png', LIMITS.memory_mb)
  expectDocument('text/html', LIMITS.memory_mb)
  await expect.poll(() => childrenNow().length).toBe(1)
  const [spare] = childrenNow()
  const path = file(pdf(numberedPages(2)))
  expect((await inspectDocument(path, options())).pages).toBe(2)
  expect(childrenNow()).toContain(spare)
  await endIdleChildren()
  expect(childrenNow()).toEqual([])
})

test('text is read without a parser, and a long one has several pages of which none is lost', async () => {
  const text = Array.from({ length: 20_000 }, (_, index) => `Line ${index}.`).join('\n')
  const { kind, pages } = await readDocument(file(text), options())
  expect(kind).toBe('text')
  expect(pages.length).toBeGreaterThan(3)
  expect(pages.map((page) => page.text).join('')).toBe(text)
})

describe('a file that cannot be read is a MediaFailure that names the reason', () => {
  afterEach(async () => {
    // Only the spare may be left.
    await endSpares()
    await expect.poll(childrenNow).toEqual([])
  })
  const whole = pdf(numberedPages(40))
  test.each([
    ['empty', Buffer.alloc(0), {}],
    ['empty', Buffer.from(' \n\n '), {}],
    ['not_a_document', Buffer.concat([Buffer.from([0]), randomBytes(5_000)]), {}],
    ['damaged', whole.subarray(0, whole.length / 2), {}],
    ['damaged', Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(20_000)]), {}],
    ['encrypted', pdf(numberedPages(3), { encrypt: true }), {}],
    ['too_many_pages', pdf(numberedPages(10_000)), {}],
    ['too_many_pages', whole, { max_pages: 39 }],
  ] as const)('%s (case %#)', async (reason, bytes, limits) => {
    await expect(inspectDocument(file(bytes), options(limits))).rejects.toMatchObject({ name: 'MediaFailure', reason })
  })

  test('too_much_output', async () => {
    const asked = parsePages(file(whole), { from: 1, to: 40 }, options({ output_bytes: 2_000 }))
    await expect(asked).rejects.toMatchObject({ name: 'MediaFailure', reason: 'too_much_output' })
  })

  test.each([
    ['too_slow', { time_ms: 700 }, 'for (;;);'],
    ['too_slow', { time_ms: 700 }, `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`],
    ['too_much_memory', { memory_mb: 200 }, 'const kept = []; setInterval(() => kept.push(Buffer.alloc(2e7, 1)), 5)'],
    ['too_much_memory', {}, `process.kill(process.pid, 'SIGKILL')`],
    ['too_much_output', {}, `setInterval(() => process.stdout.write('x'.repeat(1e6)), 1)`],
    ['damaged', {}, `console.log('{"ready":true}'); setTimeout(() => process.kill(process.pid, 'SIGSEGV'), 100)`],
    ['damaged', {}, `console.log('{"ready":true}'); console.log('no answer at all')`],
  ] as const)('%s, whatever the parser does (case %#)', async (reason, limits, code) => {
    const asked = inspectDocument(file(whole), options(limits), instead(code))
    await expect(asked).rejects.toMatchObject({ name: 'MediaFailure', reason })
  })

  test('a parser that cannot be started is no fault of the file', async () => {
    const asked = inspectDocument(file(whole), options(), {
      ...PARSER,
      samples: [],
      command: () => ['/nowhere/node', []],
    })
    await expect(asked).rejects.toThrow(/^Cannot start/)
  })

  test('processes of the parser are killed with it', async () => {
    const grandchild = `require('node:child_process').spawn(process.execPath, ['-e', '/* muxi stand-in of ${process.pid} */ for (;;);']); for (;;);`
    const controller = new AbortController()
    const asked = inspectDocument(file(whole), options({}, controller.signal), instead(grandchild))
    const failed = expect(asked).rejects.toThrow('stop')
    await expect.poll(() => childrenNow().length, { interval: 20 }).toBe(2)
    controller.abort(new Error('stop'))
    await failed
    await expect.poll(childrenNow).toEqual([])
  })

  test('an abort ends it at once, with the reason of the signal', async () => {
    const controller = new AbortController()
    const asked = inspectDocument(file(whole), options({}, controller.signal), instead('for (;;);'))
    const reason = new Error('stop')
    const failed = expect(asked).rejects.toBe(reason)
    await expect.poll(() => childrenNow().length, { interval: 20 }).toBe(1)
    controller.abort(reason)
    await failed
  })
})

test('a child cannot write, by a worker thread either', async () => {
  const command = scriptCommand(new URL('../support/writing-child.ts', import.meta.url))
  const kind: ChildKind = { what: 'document', writes: false, most: 1, command }
  const path = join(tempDir(), 'written')
  const told = await withChild(kind, { owner: 'anna', memory_mb: 512 }, (child) =>
    child.ask<{ written: boolean }>({ path }, options()),
  )
  expect(told).toEqual({ written: false })
  await endIdleChildren()
})

test('a parser inherits no secrets', async () => {
  process.env['OPENAI_API_KEY'] = 'sk-secret'
  try {
    const told = instead(
      `console.log(JSON.stringify({ failure: { reason: 'damaged', message: Object.keys(process.env).join() } }))`,
    )
    const failure = await inspectDocument(file(pdf(numberedPages(1))), options(), told).catch((error: unknown) => error)
    expect((failure as Error).message).toMatch(/PATH/)
    expect((failure as Error).message).not.toMatch(/OPENAI|VITEST/)
  } finally {
    delete process.env['OPENAI_API_KEY']
  }
})

test.each(['node', 'deno'] as const)(
  'no parser outlives a %s process that was killed while it worked or waited',
  async (runtime) => {
    const path = file(pdf(numberedPages(3_000)))
    const parent = startChild({
      script: 'tests/support/parse-and-wait.ts',
      args: [path],
      env: {},
      cwd: tempDir(),
      runtime,
    })
    await parent.says(/waiting/)
    const parsers = () =>
      execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => line.includes(`parse-child.ts ${parent.pid} `))
    // One works, one waits for its document, and one is the spare.
    await expect.poll(() => parsers().length, { interval: 20 }).toBe(3)
    // Not its group: the parsers must notice by themselves.
    process.kill(parent.pid, 'SIGKILL')
    await expect.poll(parsers).toEqual([])
  },
)
