// What streams of the client must withstand, in the size that a test chooses.
import { setTimeout as sleep } from 'node:timers/promises'
import { Http } from '../../client/http.ts'
import { Turn, type TurnOptions } from '../../client/turns/turn.ts'
import { type FaultProxy, openFaultProxy, type Plan, randomPlans } from './fault-proxy.ts'
import { seeded } from './seeded.ts'
import type { Stage } from './stage.ts'
import { manyWords } from './words.ts'

const PATH = '/agents/scripted/chat/stream'
/** Bytes of an answer before a fault: some answers break before their first event. */
const STRIKE_AFTER = [0, 2_500] as const

export interface Followed {
  ids: number[]
  /** Of the text of each event, one after another. */
  printed: string
  text: string
  /** Of the record. */
  content: string
  status: string
  turns: number
}

/** Streams replies through a proxy that injects faults. @returns what each client got, and the server has */
export async function streamThroughFaults(
  stage: Stage,
  url: string,
  options: { streams: number; at_once: number; words: number; seed: number; share: number; silence_ms: number },
): Promise<{ followed: Followed[]; said: string; proxy: FaultProxy }> {
  const said = manyWords('word', options.words)
  const stop = stage.model.otherwise({ say: said, piece: 8, pieces_per_second: 40 })
  const random = seeded(options.seed)
  const proxy = await openFaultProxy(url, randomPlans(random, options.share, STRIKE_AFTER))
  const http = new Http({ serverUrl: proxy.url, apiKey: stage.key })
  const followed: Followed[] = []
  let next = 0
  const work = async () => {
    while (next < options.streams) {
      const number = (next += 1)
      const conversation_id = await persistent(() => stage.conversation(url))
      const body = { content: `Message ${number}`, conversation_id }
      followed.push(await followOne(stage, url, http, body, { timing: { silenceMs: options.silence_ms } }))
    }
  }
  await Promise.all(Array.from({ length: options.at_once }, work))
  stop()
  return { followed, said, proxy }
}

async function followOne(
  stage: Stage,
  url: string,
  http: Http,
  body: { content: string; conversation_id: string },
  options: TurnOptions,
): Promise<Followed> {
  const turn = Turn.start(http, PATH, body, options)
  const states = Array.fromAsync(turn.messages())
  const ids: number[] = []
  let printed = ''
  for await (const event of turn) {
    ids.push(event.id)
    printed += String(event)
  }
  const { text, status } = (await states).at(-1)!
  const content = await persistent(
    async () => (await stage.turn(url, turn.id!)).message.agent_response.content as string,
  )
  const turns = await stage.rows('select id from turns where conversation_id = ?', body.conversation_id)
  return { ids, printed, text, status, content, turns: turns.length }
}

/** Of a server that may be restarting: for what a test needs besides the client. */
async function persistent<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask()
    } catch (error) {
      if (attempt > 100) throw error
      await sleep(200)
    }
  }
}

export interface Cut {
  of: 'request' | 'answer'
  after: number
  text: string
  turns: number
}

/** Sends a message undisturbed. @returns the bytes of its request and of its answer up to the first events */
export async function sizesOf(stage: Stage, url: string, said: string): Promise<{ request: number; answer: number }> {
  const proxy = await openFaultProxy(url, () => ({ fault: 'none' }))
  const stop = stage.model.otherwise({ say: said })
  await sendOne(stage, url, new Http({ serverUrl: proxy.url, apiKey: stage.key }))
  stop()
  return proxy.latest
}

/** Sends messages whose first connection is cut, each after one of the numbers of bytes. @param at_once how many at a time */
export async function cutEach(
  stage: Stage,
  url: string,
  said: string,
  cuts: readonly Pick<Cut, 'of' | 'after'>[],
  at_once = 4,
): Promise<Cut[]> {
  const seen: Cut[] = []
  let next = 0
  const work = async () => {
    let plan: Plan = { fault: 'none' }
    const proxy = await openFaultProxy(url, () => {
      const now = plan
      plan = { fault: 'none' }
      return now
    })
    // A connection of its own for each request.
    const http = new Http({
      serverUrl: proxy.url,
      apiKey: stage.key,
      fetch: (to, init) => fetch(to, { ...init, headers: { ...headersOf(init), connection: 'close' } }),
    })
    while (next < cuts.length) {
      const index = next++
      const cut = cuts[index]!
      plan = { ...cut, fault: index % 2 === 0 ? 'reset' : 'cut' }
      seen[index] = { ...cut, ...(await sendOne(stage, url, http)) }
    }
  }
  const stop = stage.model.otherwise({ say: said })
  await Promise.all(Array.from({ length: at_once }, work))
  stop()
  return seen
}

const headersOf = ({ headers }: RequestInit) => Object.fromEntries(new Headers(headers))

async function sendOne(stage: Stage, url: string, http: Http) {
  const conversation_id = await stage.conversation(url)
  const text = await Turn.start(http, PATH, { content: 'Say it.', conversation_id }).text()
  const turns = await stage.rows('select id from turns where conversation_id = ?', conversation_id)
  return { text, turns: turns.length }
}

export interface Storm {
  /** Connections in each second after the server was stopped. */
  each_second: number[]
  /** Those of any second after the first, at most. */
  peak: number
  /** Of a second after the first, on average, until all are back. */
  mean: number
  /** From the start of the server to the last client that is back, in milliseconds. */
  back_ms: number
  texts: string[]
}

/** Restarts an API under clients that follow turns; a worker must run elsewhere. */
export async function restartUnderClients(
  stage: Stage,
  options: {
    clients: number
    turns: number
    words: number
    away_ms: number
    port: number
    env: Record<string, string>
  },
): Promise<Storm & { said: string }> {
  const { clients, port, env } = options
  const said = manyWords('word', options.words)
  const stop = stage.model.otherwise({ say: said, piece: 8, pieces_per_second: 4 })
  let api = await stage.start('api', { port, env })
  const proxy = await openFaultProxy(api.url, () => ({ fault: 'none' }))
  const ids = await Promise.all(
    Array.from({ length: options.turns }, async () => {
      const body = { content: 'Say it.', conversation_id: await stage.conversation(api.url), background: true }
      return (await stage.call(api.url, '/api/v1/agents/scripted/chat', { body })).body.turn_id as string
    }),
  )
  const http = new Http({ serverUrl: proxy.url, apiKey: stage.key })
  const begun = new Set<Turn>()
  const back: number[] = []
  let stoppedAt = Infinity
  const reading = Array.from({ length: clients }, async (_, index) => {
    const turn = Turn.resume(http, ids[index % ids.length]!)
    let isBack = false
    for await (const { type } of turn) {
      if (type === 'content') begun.add(turn)
      // The server is there again: what comes now has come over a new connection.
      if (performance.now() > stoppedAt + options.away_ms && !isBack) {
        isBack = true
        back.push(performance.now())
      }
    }
    return turn.text()
  })
  while (begun.size < clients) await sleep(50)
  stoppedAt = performance.now()
  await api.stop()
  await sleep(Math.max(0, stoppedAt + options.away_ms - performance.now()))
  api = await stage.start('api', { port, env })
  const startedAt = performance.now()
  const texts = await Promise.all(reading)
  stop()
  const last = Math.max(...back)
  const after = proxy.connections.map((at) => at - stoppedAt).filter((ms) => ms >= 0 && ms <= last - stoppedAt)
  const each_second = Array.from({ length: Math.ceil((last - stoppedAt) / 1_000) }, () => 0)
  for (const ms of after) each_second[Math.floor(ms / 1_000)]! += 1
  const later = after.filter((ms) => ms >= 1_000)
  const windows = later.map((from) => later.filter((ms) => ms >= from && ms < from + 1_000).length)
  return {
    each_second,
    peak: Math.max(0, ...windows),
    mean: later.length / Math.max(1, (last - stoppedAt) / 1_000 - 1),
    back_ms: last - startedAt,
    texts,
    said,
  }
}
