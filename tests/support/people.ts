// People who go on whatever happens: they send until it is accepted, and follow until the end, anywhere.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { pdf, type PdfPage } from './pdf.ts'
import type { SseClient } from './sse-client.ts'
import type { Answer, Stage } from './stage.ts'

/** Longest time in which a turn or a job must end, kills included. */
const END_MS = 180_000
const CALL_MS = 45_000
const PAUSE_MS = 200

export interface Seen {
  /** How often each kind of turn and job ended in each way. */
  outcomes: Record<string, number>
  /** Answers besides those that were hoped for, by status; what had no answer at all is `none`. */
  refusals: Record<string, number>
  /** 503s without Retry-After, and server errors that are none of our words. */
  faults: string[]
}

export function nothingSeen(): Seen {
  return { outcomes: {}, refusals: {}, faults: [] }
}

/** One person: a message, its whole answer whatever it takes, the next message. */
export async function chatUntil(stage: Stage, urls: string[], user: string, end: number, seen: Seen): Promise<void> {
  const url = turnsOf(urls)
  let conversation: string | undefined
  for (let n = 1; Date.now() < end; n += 1) {
    conversation ??= await ask(stage, url, '/api/v1/conversations', { agent_id: 'scripted', user_id: user }, seen, 'id')
    const headers = { 'idempotency-key': `${user}-${n}` }
    const body = { content: `message ${n} of ${user}`, conversation_id: conversation, user_id: user, background: true }
    const turn = await ask(stage, url, '/api/v1/agents/scripted/chat', body, seen, 'turn_id', headers)
    const outcome = await followUntilEnd(stage, turn, (after) => stage.follow(url(), turn, after))
    count(seen.outcomes, outcome)
  }
}

/** One person who uploads a document, sees it ingested, and uploads the next one. @returns the jobs that were seen to end */
export async function ingestUntil(
  stage: Stage,
  urls: string[],
  name: string,
  pages: (n: number) => PdfPage[],
  end: number,
  seen: Seen,
): Promise<string[]> {
  const url = turnsOf(urls)
  const jobs: string[] = []
  for (let n = 1; Date.now() < end; n += 1) {
    const file = await uploadUntilDone(stage, url, `${name}-${n}.pdf`, pdf(pages(n)), seen)
    const body = { kind: 'document', file_id: file, agent_id: 'offline' }
    const job = await ask(stage, url, '/api/v1/jobs', body, seen, 'id')
    const outcome = await followUntilEnd(stage, job, (after) => stage.followJob(url(), job, after))
    jobs.push(job)
    count(seen.outcomes, `job ${outcome}`)
  }
  return jobs
}

/** Messages and jobs whose receipt was lost must end as well. */
export async function untilAllIsOver(stage: Stage): Promise<void> {
  for (const table of ['turns', 'jobs']) {
    const open = () => stage.rows(`select id, status from ${table} where finished_at is null`)
    await expect.poll(open, { timeout: 120_000, interval: 1_000 }).toEqual([])
  }
}

/** The next address each time, as from a load balancer that knows nothing. */
function turnsOf(urls: string[]): () => string {
  let n = Math.floor(Math.random() * urls.length)
  return () => urls[n++ % urls.length]!
}

/** Asks until it is done. @returns a field of the answer */
async function ask(
  stage: Stage,
  url: () => string,
  path: string,
  body: object,
  seen: Seen,
  field: string,
  headers: Record<string, string> = {},
): Promise<string> {
  const deadline = Date.now() + END_MS
  for (;;) {
    const answer = await stage
      .call(url(), path, { body, headers, signal: AbortSignal.timeout(CALL_MS) })
      .catch(() => undefined)
    if (answer && answer.status < 300) return answer.body[field]
    note(answer, path, seen)
    if (Date.now() > deadline) throw new Error(`'${path}' took more than ${END_MS} ms: ${answer?.text}`)
    await sleep(PAUSE_MS)
  }
}

async function uploadUntilDone(
  stage: Stage,
  url: () => string,
  name: string,
  bytes: Uint8Array,
  seen: Seen,
): Promise<string> {
  const deadline = Date.now() + END_MS
  for (;;) {
    try {
      return await stage.upload(url(), name, bytes)
    } catch (error) {
      count(seen.refusals, 'upload')
      if (Date.now() > deadline) throw error
      await sleep(PAUSE_MS)
    }
  }
}

function note(answer: Answer | undefined, path: string, seen: Seen): void {
  count(seen.refusals, String(answer?.status ?? 'none'))
  if (!answer || (answer.status === 503 && answer.headers.has('retry-after'))) return
  seen.faults.push(`${path}: ${answer.status} ${answer.text}`)
}

/** Follows a stream over as many connections as it takes, each of which goes on at the next event. @returns the type of the final event */
async function followUntilEnd(stage: Stage, id: string, open: (after: number) => Promise<SseClient>): Promise<string> {
  const deadline = Date.now() + END_MS
  let last = 0
  while (Date.now() < deadline) {
    const stream = await open(last).catch(() => undefined)
    await stream?.ended
    const [first] = stream?.events ?? []
    if (first && first.id !== last + 1)
      throw new Error(`a stream that was to go on after ${last} began with ${first.id}`)
    last = Math.max(last, stream?.lastId ?? 0)
    if (stream?.final) return stream.final.type
    await sleep(PAUSE_MS)
  }
  const log = await stage.rows(
    'select kind, status, attempt, started_at, duration_ms, error from log_entries where stream_id = ? order by id',
    id,
  )
  const told = log.map((entry) => Object.values(entry).join(' ')).join('\n')
  throw new Error(`${id} had no end in ${END_MS} ms (after event ${last}); its log:\n${told}`)
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1
}
