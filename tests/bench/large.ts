// The largest files of a day's work: a document of 2,000 pages and an hour of sound, what memory they take, and what a chat waits meanwhile.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sound, spoken } from '../support/media.ts'
import { watchMemory } from '../support/process-memory.ts'
import { WhisperDouble } from '../support/whisper-double.ts'
import { MANUAL, runJob, upload } from './ingestion.ts'
import { chat, ms, percentile, report } from './measure.ts'
import type { Bench, Muxi } from './processes.ts'

/** So many times the manual. */
const COPIES = 7
const SECONDS = 3_600
const CHATS = 30
const ASK = { words: 20, gap_ms: 5 }

const run = promisify(execFile)

export async function large(bench: Bench): Promise<void> {
  if (!existsSync(MANUAL)) return report('large', `not measured: it needs ${MANUAL} (apt-get install gnuplot-doc)`)
  const whisper = await WhisperDouble.start()
  const folder = await mkdtemp(join(tmpdir(), 'muxi-bench-'))
  const muxi = await (await bench.install('large')).start('all', { MUXI_TRANSCRIPTION: whisper.url })
  try {
    const pdf = join(folder, 'large.pdf')
    await run('pdfunite', [...Array.from({ length: COPIES }, () => MANUAL), pdf])
    const hour = await sound(folder, 'hour.mp3', spoken(SECONDS))
    const idle = await firsts(muxi, () => false)
    await measure(muxi, idle, 'document', await upload(muxi, await readFile(pdf), 'large.pdf'))
    await measure(muxi, idle, 'audio', await upload(muxi, hour, 'hour.mp3'))
  } finally {
    await muxi.stop()
    await whisper.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(muxi: Muxi, idle: number[], kind: 'document' | 'audio', fileId: string): Promise<void> {
  const memory = watchMemory(() => muxi.pid, 1_000)
  let over = false
  const startedAt = performance.now()
  const job = runJob(muxi, kind, fileId, `large-${kind}`).finally(() => (over = true))
  const busy = await firsts(muxi, () => over)
  const { pages } = await job
  const took = (performance.now() - startedAt) / 1_000
  const { own, all } = memory()
  report(`${kind}: ${pages} pages or pieces`, `${took.toFixed(1)} s`)
  report(`${kind}: most memory`, `${all} MiB with children, ${own} MiB of them its own (≤ 1536)`)
  const [loaded, quiet] = [percentile(busy, 50), percentile(idle, 50)]
  report(
    `${kind}: first token of ${busy.length} chats meanwhile`,
    `${ms(loaded)} p50 against ${ms(quiet)}`,
    loaded / quiet,
    '≤ 2',
  )
}

/** Times to the first token, one chat after another. */
async function firsts(muxi: Muxi, isOver: () => boolean): Promise<number[]> {
  const times: number[] = []
  for (let turn = 0; turn < CHATS && !isOver(); turn += 1)
    times.push((await chat(muxi, `large-${performance.now()}`, ASK)).first)
  return times
}
