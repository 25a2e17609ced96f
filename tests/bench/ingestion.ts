// An ingestion as its neighbours feel it: how quick it is, for how long it holds up the event loop, and what a chat waits meanwhile.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { openInspector } from './inspector.ts'
import { authorization, chat, ms, percentile, report } from './measure.ts'
import type { Bench, Muxi } from './processes.ts'

/** Debian's gnuplot manual: 311 pages of text. */
export const MANUAL = process.env['MUXI_BENCH_PDF'] ?? '/usr/share/doc/gnuplot/gnuplot.pdf'
const ROUNDS = 5
const CHATS = 40
const ASK = { words: 20, gap_ms: 5 }

const run = promisify(execFile)

export async function ingestion({ muxi }: Bench): Promise<void> {
  const manual = await readFile(MANUAL).catch(() => undefined)
  const tool = await run('pdftotext', ['-v']).catch(() => undefined)
  if (!manual || !tool) {
    report('ingestion', `not measured: it needs ${MANUAL} and pdftotext (apt-get install gnuplot-doc poppler-utils)`)
    return
  }
  await ingest(muxi, await uploadAnew(muxi, manual), 'warm')
  await pace(muxi, manual)
  await waitedByAChat(muxi, manual)
}

let uploads = 0

/** The same document in other bytes: what was read before is not read again. */
function uploadAnew(muxi: Muxi, manual: Uint8Array): Promise<string> {
  uploads += 1
  return upload(muxi, Buffer.concat([manual, Buffer.from(`\n% ${uploads}\n`)]), 'manual.pdf')
}

/** Pages a second, upload left out, against `pdftotext`; taken in turn, so that a busy moment of the machine meets both. */
async function pace(muxi: Muxi, manual: Uint8Array): Promise<void> {
  const inspector = await openInspector(muxi.inspector)
  const plain: number[] = []
  const searchable: number[] = []
  const textOnly: number[] = []
  const blocks: { wall: number; cpu: number }[] = []
  let pages = 0
  for (let round = 1; round <= ROUNDS; round += 1) {
    plain.push(await took(() => run('pdftotext', [MANUAL, '/dev/null'])))
    const [toRead, toFind] = [await uploadAnew(muxi, manual), await uploadAnew(muxi, manual)]
    textOnly.push(await took(() => ingest(muxi, toRead)))
    plain.push(await took(() => run('pdftotext', [MANUAL, '/dev/null'])))
    await inspector.watchLoop()
    searchable.push(await took(async () => ({ pages } = await ingest(muxi, toFind, `manual-${round}`))))
    blocks.push(await inspector.longestBlock())
  }
  await inspector.watchLoop()
  await delay(percentile(searchable, 50))
  const idle = await inspector.longestBlock()
  inspector.close()
  const rate = (times: number[]) => (pages / percentile(times, 50)) * 1_000
  report('pdftotext', `${rate(plain).toFixed(0)} pages a second`)
  for (const [what, times] of [
    ['job without an index', textOnly],
    ['job until searchable', searchable],
  ] as const)
    report(what, `${rate(times).toFixed(0)} pages a second (${range(times)})`, rate(times) / rate(plain), '≥ 0.4')
  const most = (which: 'wall' | 'cpu') => Math.max(...blocks.map((block) => block[which]))
  report(
    'event loop: longest block by an ingestion',
    `${ms(most('wall'))}, ${ms(most('cpu'))} of its own; idle ${ms(idle.wall)}  (≤ 50 ms)`,
  )
}

async function waitedByAChat(muxi: Muxi, manual: Uint8Array): Promise<void> {
  const first = async (user: string) => (await chat(muxi, user, ASK)).first
  const idle: number[] = []
  const busy: number[] = []
  for (let part = 0; part < 2; part += 1) {
    for (let turn = 0; turn < CHATS / 2; turn += 1) idle.push(await first(`idle-${part}-${turn}`))
    let over = false
    const ingesting = (async () => {
      for (let round = 1; !over; round += 1) await ingest(muxi, await uploadAnew(muxi, manual), `busy-${part}-${round}`)
    })()
    for (let turn = 0; turn < CHATS / 2; turn += 1) busy.push(await first(`busy-${part}-${turn}`))
    over = true
    await ingesting
  }
  const [quiet, loaded] = [percentile(idle, 50), percentile(busy, 50)]
  report(
    'first token while documents are read',
    `${ms(loaded)} p50, ${ms(percentile(busy, 99))} p99 against ${ms(quiet)} p50`,
    loaded / quiet,
    '≤ 2',
  )
}

export async function upload({ url, key }: Muxi, bytes: Uint8Array, name: string): Promise<string> {
  const form = new FormData()
  form.set('file', new Blob([bytes as Uint8Array<ArrayBuffer>]), name)
  const response = await fetch(`${url}/api/v1/files`, { method: 'POST', headers: authorization(key), body: form })
  return ((await response.json()) as { id: string }).id
}

function ingest(muxi: Muxi, fileId: string, knowledgeId?: string): Promise<{ pages: number }> {
  return runJob(muxi, 'document', fileId, knowledgeId)
}

/** From the request to the last event of the job; into a source of knowledge, or for its text alone. */
export async function runJob(
  { url, key }: Muxi,
  kind: 'document' | 'audio',
  file_id: string,
  knowledge_id?: string,
): Promise<{ pages: number }> {
  const into = knowledge_id === undefined ? {} : { agent_id: 'reader', knowledge_id }
  const begun = await fetch(`${url}/api/v1/jobs`, {
    method: 'POST',
    headers: authorization(key, 'application/json'),
    body: JSON.stringify({ kind, file_id, ...into }),
  })
  const { id } = (await begun.json()) as { id: string }
  const told = await (await fetch(`${url}/api/v1/jobs/${id}/stream`, { headers: authorization(key) })).text()
  const end = /^event: completed\ndata: (.*)$/m.exec(told)
  if (!end) throw new Error(`the job did not complete: ${told.slice(-1_000)}`)
  return (JSON.parse(end[1]!) as { result: { pages: number } }).result
}

async function took(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

const range = (times: number[]) => `${Math.min(...times).toFixed(0)} to ${Math.max(...times).toFixed(0)} ms`
