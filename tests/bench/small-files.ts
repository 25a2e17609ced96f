// One page from the request to the end of its job, upload left out: with no program that reads it, with a spare one, and against
// the bare parse in a process where all of it is warm.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { unzipSync } from 'fflate'
import { readPdf } from '../../media/document/pdf-engines.ts'
import { readWhole } from '../../media/document/readers/index.ts'
import { readTextPages } from '../../media/document/text-pages.ts'
import { docx, html, zip } from '../support/documents.ts'
import { numberedPages, pdf } from '../support/pdf.ts'
import { childrenOf } from '../support/process-memory.ts'
import { runJob, upload } from './ingestion.ts'
import { ms, percentile, report } from './measure.ts'
import { cpuSeconds, watchOthers } from './peers/usage.ts'
import type { Bench, Muxi } from './processes.ts'

const ROUNDS = Number(process.env['MUXI_BENCH_ROUNDS'] ?? 15)
/** Most that a spare needs until it has read its samples, in milliseconds, on a busy machine too. */
const SETTLE_MS = 20_000
const SETTLED_MS = 300

type Format = 'html' | 'docx' | 'pdf' | 'txt'
const FORMATS: Format[] = ['html', 'docx', 'pdf', 'txt']

export async function smallFiles({ muxi }: Bench): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'muxi-bench-small-'))
  const others = watchOthers()
  const whole = await docx()
  let made = 0
  /** Different bytes each time: what was read before is not read again. */
  const fresh: Record<Format, () => Uint8Array> = {
    html: () => Buffer.concat([html(), Buffer.from(`<!-- ${(made += 1)} -->`)]),
    docx: () => zip({ ...unzipSync(whole), 'customXml/made.xml': `<made>${(made += 1)}</made>` }),
    pdf: () => Buffer.concat([pdf(numberedPages(1)), Buffer.from(`\n% ${(made += 1)}\n`)]),
    txt: () => Buffer.from(`The ferry to Sund leaves at 7:40.\n\nDogs travel free, ${(made += 1)} of them.\n`),
  }
  const seen = new Map(FORMATS.map((format) => [format, { bare: [], cold: [], warm: [], found: [], cpu: [] } as Times]))
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const format of FORMATS) {
        const times = seen.get(format)!
        const path = join(folder, `${round}.${format}`)
        writeFileSync(path, fresh[format]())
        times.bare.push(await took(() => readBare(format, path)))
        await endReaders(muxi)
        times.cold.push(await throughMuxi(muxi, format, fresh[format]()))
        await settled(muxi, format)
        const before = cpuSeconds([muxi.pid])
        times.warm.push(await throughMuxi(muxi, format, fresh[format]()))
        await settled(muxi, format)
        times.cpu.push((cpuSeconds([muxi.pid]) - before) * 1_000)
        times.found.push(await throughMuxi(muxi, format, fresh[format](), `small-${made}`))
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  console.log(
    `one page, ${ROUNDS} rounds in turns, p50 (fastest); other processes used ${(others() * 100).toFixed(0)} % of the machine`,
  )
  for (const [format, { bare, cold, warm, found, cpu }] of seen) {
    const floor = percentile(bare, 50)
    report(`${format}: bare parse, warm`, spread(bare))
    report(`${format}: job with a spare`, spread(warm), percentile(warm, 50) / floor, '≤ 300 ms')
    report(`${format}: job with a spare, until searchable`, spread(found), percentile(found, 50) / floor)
    report(`${format}: processor time of a job, with the next spare`, ms(percentile(cpu, 50)))
    report(`${format}: job without a program`, spread(cold), percentile(cold, 50) / floor)
  }
}

interface Times {
  bare: number[]
  cold: number[]
  warm: number[]
  /** With a spare, until searchable. */
  found: number[]
  /** Processor time of a job with a spare, in muxi and its programs, the next spare included. */
  cpu: number[]
}

const spread = (times: number[]) => `${ms(percentile(times, 50))} (${ms(Math.min(...times))})`

async function took(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

/** In this process, with everything that the format needs loaded by the rounds before. */
function readBare(format: Format, path: string): Promise<unknown> {
  if (format === 'txt') return readTextPages(path, 1e6, new AbortController().signal)
  if (format === 'pdf') return readPdf(path, { from: 1, to: 1 }, 'liteparse')
  return readWhole(path, format)
}

async function throughMuxi(muxi: Muxi, format: Format, bytes: Uint8Array, knowledge?: string): Promise<number> {
  const file = await upload(muxi, bytes, `page.${format}`)
  return took(() => runJob(muxi, 'document', file, knowledge))
}

/** Programs of muxi that read documents, wrapped by those that confine them or not. */
function readersOf(muxi: Muxi): number[] {
  return childrenOf(muxi.pid).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('parse-child.ts')
    } catch {
      return false // it has just ended
    }
  })
}

/** Ends them, as a minute without files does. */
async function endReaders(muxi: Muxi): Promise<void> {
  for (const pid of readersOf(muxi)) process.kill(pid, 'SIGKILL')
  while (readersOf(muxi).length > 0) await delay(10)
}

/** Until the spare has read its samples: no program that reads documents uses a core any more. */
async function settled(muxi: Muxi, format: Format): Promise<void> {
  if (format === 'txt') return
  const deadline = performance.now() + SETTLE_MS
  let quiet = performance.now()
  let before = -1
  while (performance.now() < deadline && performance.now() - quiet < SETTLED_MS) {
    await delay(50)
    const used = cpuSeconds(readersOf(muxi))
    if (used !== before) quiet = performance.now()
    before = used
  }
}
