// What WebSockets must withstand, in the size that a test chooses.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { SLOW } from '../../api/socket-session.ts'
import { cpuSeconds } from '../bench/peers/usage.ts'
import { startChild } from './children.ts'
import { freePort } from './free-port.ts'
import { notedBlocks } from './loop-watch.ts'
import { memoryOf } from './process-memory.ts'
import { ResumingSocket, type Heard } from './resuming-socket.ts'
import type { Muxi, Stage } from './stage.ts'
import { manyWords } from './words.ts'
import type { SeenFrame, WsClient } from './ws-client.ts'

const MB = 2 ** 20

/** An API process, also that of the product. */
type Served = Pick<Muxi, 'url' | 'pid' | 'logs'>

export interface StoppedReader {
  code: number
  /** By how much the server's memory grew meanwhile. */
  grown_mb: number
  /** The text that was read before the close, after resuming, and that of an undisturbed reader. */
  before: string
  after: string
  whole: string
}

/** Follows a long reply several times over one socket that is not read. */
export async function stopReading(
  stage: Stage,
  muxi: Served,
  { megabytes }: { megabytes: number },
): Promise<StoppedReader> {
  const { url, pid } = muxi
  const { turn_id, whole } = await longTurn(stage, url)
  const socket = await stage.socket(url)
  const rss = memoryOf(pid, 'Rss')
  let most = rss
  const timer = setInterval(() => (most = Math.max(most, memoryOf(pid, 'Rss'))), 50)
  socket.socket.pause()
  const ids = Array.from({ length: megabytes / 2 }, (_, index) => `r${index}`)
  for (const id of ids) socket.send('resume', id, { turn_id })
  // The server gives up; only then is the rest read, with the code behind it.
  await expect.poll(() => muxi.logs().some(({ msg }) => msg === SLOW), { timeout: 30_000 }).toBe(true)
  socket.socket.resume()
  const code = await socket.closed
  clearInterval(timer)
  // Of those that were cut, the one of which least was read: others may lack their end alone.
  const ended = new Set(socket.frames.flatMap(({ id, type }) => (type === 'chat_end' ? [id] : [])))
  const cut = ids.filter((id) => !ended.has(id)).map((id) => socket.frames.filter((frame) => frame.id === id))
  const [read = []] = cut.toSorted((a, b) => textOf(a).length - textOf(b).length)
  const again = await stage.socket(url)
  again.send('resume', 'again', { turn_id, after: read.at(-1)?.data.event_id ?? 0 })
  await again.waitFor(({ type }) => type === 'chat_end')
  const [before, after] = [textOf(read), textOf(again.frames)]
  again.close()
  return { code, grown_mb: (most - rss) / 1_024, before, after, whole }
}

/** A turn whose reply has 2 MB. */
async function longTurn(stage: Stage, url: string): Promise<{ turn_id: string; whole: string }> {
  const whole = 'All work and no play. '.repeat(Math.ceil((2 * MB) / 22))
  const cue = stage.model.script({ say: whole, piece: 32_768 })
  const turn = await stage.chat(url, cue, { conversation_id: await stage.conversation(url) })
  await turn.untilFinal()
  return { turn_id: turn.events[0]!.data.turn_id, whole }
}

const textOf = (frames: readonly SeenFrame[]) =>
  frames.flatMap(({ type, data }) => (type === 'chat_content' ? [data.content as string] : [])).join('')

/** Follows a long reply several times over one socket. @returns the codes with which it was closed meanwhile, and what was read */
export async function readInBulk(stage: Stage, { url }: Muxi, times: number) {
  const { turn_id, whole } = await longTurn(stage, url)
  const socket = await stage.socket(url)
  const codes: number[] = []
  void socket.closed.then((code) => codes.push(code))
  const ids = Array.from({ length: times }, (_, index) => `r${index}`)
  for (const id of ids) socket.send('resume', id, { turn_id })
  for (const id of ids) await socket.waitFor((frame) => frame.id === id && frame.type === 'chat_end')
  const texts = ids.map((id) => textOf(socket.frames.filter((frame) => frame.id === id)))
  const seen = [...codes]
  socket.close()
  return { codes: seen, texts, whole }
}

export interface Restarted {
  heard: Heard[]
  /** Of an undisturbed run. */
  text: string
}

/** Restarts an API process while turns run, each on a socket of its own; a worker must run elsewhere. */
export async function restartUnder(
  stage: Stage,
  options: {
    sockets: number
    words: number
    words_per_second: number
    kill: 'SIGTERM' | 'SIGKILL'
    env?: Record<string, string>
  },
): Promise<Restarted> {
  const text = manyWords('word', options.words)
  const stop = stage.model.otherwise({ say: text, piece: 8, pieces_per_second: options.words_per_second })
  const port = await freePort()
  const env = options.env ?? {}
  let api = await stage.start('api', { port, env })
  const conversations = await Promise.all(Array.from({ length: options.sockets }, () => stage.conversation(api.url)))
  const clients = conversations.map((conversation_id, index) => {
    const message = { agent_id: 'scripted', content: `Message ${index}`, conversation_id }
    return new ResumingSocket(api.url, stage.key, message, `restart-${port}-${index}`)
  })
  await Promise.all(clients.map(({ begun }) => begun))
  api.child.kill(options.kill)
  await once(api.child, 'exit')
  api = await stage.start('api', { port, env })
  const heard = await Promise.all(clients.map(({ done }) => done))
  stop()
  return { heard, text }
}

/** Opens sockets that say nothing. @returns by how much the memory of the server grew */
export async function idleSockets(stage: Stage, { url, pid }: Served, count: number): Promise<{ grown_mb: number }> {
  // What the first sockets load stays out of the figure.
  const first = await openMany(stage, url, 20)
  const before = memoryOf(pid, 'Rss')
  const sockets = await openMany(stage, url, count)
  const pong = sockets.map((socket, index) => {
    socket.send('ping', `p${index}`)
    return socket.waitFor(({ type }) => type === 'pong')
  })
  await Promise.all(pong)
  const grown_mb = (memoryOf(pid, 'Rss') - before) / 1_024
  for (const socket of [...first, ...sockets]) socket.close()
  return { grown_mb }
}

async function openMany(stage: Stage, url: string, count: number): Promise<WsClient[]> {
  const sockets: WsClient[] = []
  for (let from = 0; from < count; from += 50)
    sockets.push(...(await Promise.all(Array.from({ length: Math.min(50, count - from) }, () => stage.socket(url)))))
  return sockets
}

export interface ReadersSeen {
  /** Readers without the whole text. */
  lost: number
  /** From the first reader that sees a word to each other, in milliseconds. */
  p50_ms: number
  p99_ms: number
  /** The slowest answer of /healthz meanwhile, and by how much one was later than that of an idle server. */
  health_ms: number
  added_ms: number
  /** How long the event loop was blocked at most, by the time that its thread has computed. */
  block_ms: number
  /** Processor time of the server for an event that a reader gets, in microseconds; with that of the turns themselves. */
  event_us: number
}

/** Follows turns that run with many readers over SSE and as many over WebSocket, which run in a process of their own. */
export async function manyReaders(
  stage: Stage,
  { url, pid }: Served,
  { readers, turns, loopFile }: { readers: number; turns: number; loopFile: string },
): Promise<ReadersSeen> {
  const text = manyWords('word', 60)
  const stop = stage.model.otherwise({ say: text, piece: 8, pieces_per_second: 5, after_ms: 20_000 })
  const ids = await Promise.all(
    Array.from({ length: turns }, async () => {
      const body = { content: 'Say it.', conversation_id: await stage.conversation(url), background: true }
      const answer = await stage.call(url, '/api/v1/agents/scripted/chat', { body })
      return answer.body.turn_id as string
    }),
  )
  const child = startChild({
    script: 'tests/support/stream-readers.ts',
    args: [url, stage.key, String(readers), ...ids],
    cwd: stage.folder,
    runtime: 'node',
  })
  await child.says(/^reading$/m, { ms: 120_000 })
  const blocks = notedBlocks(loopFile).length
  const used = cpuSeconds([pid])
  const health = await watchHealth(url, stage.folder)
  const [, told = '{}'] = await child.says(/^seen (.*)$/m, { ms: 240_000 })
  const { health_ms, added_ms } = await health.stop()
  const block_ms = Math.max(0, ...notedBlocks(loopFile).slice(blocks))
  const computed = cpuSeconds([pid]) - used
  await child.ended
  stop()
  const { texts, events, p50_ms, p99_ms } = JSON.parse(told) as {
    texts: Record<string, number>
    events: number
    p50_ms: number
    p99_ms: number
  }
  const event_us = (computed * 1_000_000) / events
  return { lost: readers * 2 - (texts[text] ?? 0), p50_ms, p99_ms, health_ms, added_ms, block_ms, event_us }
}

/** Asks for the health of a server, and at the same moments an idle server. @returns a function that ends it */
async function watchHealth(url: string, cwd: string) {
  const idle = startChild({ script: 'tests/support/idle-server.ts', cwd, runtime: 'node' })
  const [, idleUrl = ''] = await idle.says(/^ready (.*)$/m)
  const timed = async (address: string) => {
    const began = performance.now()
    await (await fetch(address)).text()
    return performance.now() - began
  }
  const seen = { health_ms: 0, added_ms: 0 }
  let isOver = false
  const asking = (async () => {
    while (!isOver) {
      const [ours, its] = await Promise.all([timed(`${url}/healthz`), timed(idleUrl)])
      seen.health_ms = Math.max(seen.health_ms, ours)
      seen.added_ms = Math.max(seen.added_ms, ours - its)
      await sleep(100)
    }
  })()
  return {
    stop: async () => {
      isOver = true
      await asking
      await idle.kill()
      return seen
    },
  }
}
