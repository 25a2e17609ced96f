// Connections that are held by sending nothing, or little: closed in time, while slow but steady uploads go on.
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { CLIENT_LIMITS, type ClientLimits, clientTimeouts } from '../../api/slow-clients.ts'
import { startChild } from '../support/children.ts'

const limits = { headers_ms: 300, idle_ms: 300, body_ms: 300, bytes_a_second: 1_000, check_ms: 50, connections: 40 }
const CONNECTIONS = 20
/** Between two bytes. */
const DRIP_MS = 40

let port: number
beforeAll(async () => {
  const server = await serve(limits)
  port = server.port
  return server.kill
})

async function serve(given: ClientLimits) {
  const child = startChild({ script: 'tests/support/slow-server.ts', args: [JSON.stringify(given)], cwd: tmpdir() })
  const [, said] = await child.says(/port (\d+)/)
  return { port: Number(said), kill: () => child.kill() }
}

/** @param text sent at once @param drip sent again and again after that @returns how long it was open, and what was answered */
async function hold(text: string, drip?: () => string): Promise<{ ms: number; answer: string }> {
  const startedAt = performance.now()
  const socket = open()
  let answer = ''
  socket.on('data', (data) => (answer += data.toString()))
  socket.write(text)
  const timer = drip && setInterval(() => socket.write(drip()), DRIP_MS)
  await new Promise((resolve) => socket.on('close', resolve))
  clearInterval(timer)
  return { ms: performance.now() - startedAt, answer }
}

function open(to = port): Socket {
  return connect(to, '127.0.0.1').on('error', () => undefined)
}

const POST = 'POST / HTTP/1.1\r\nhost: x\r\n'
it.each([
  ['nothing', '', undefined],
  ['headers byte by byte', 'GET / HTTP/1.1\r\nx: ', () => 'a'],
  ['a body byte by byte', `${POST}content-length: 100000\r\n\r\n`, () => 'a'],
  ['chunks of one byte', `${POST}transfer-encoding: chunked\r\n\r\n`, () => '1\r\na\r\n'],
  ['a whole request, then nothing', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n', undefined],
])('a connection that sends %s is closed', async (_, text, drip) => {
  const held = await Promise.all(Array.from({ length: CONNECTIONS }, () => hold(text, drip)))
  for (const { ms } of held) {
    expect(ms).toBeGreaterThan(limits.headers_ms * 0.9)
  }
})

it('an upload that takes longer than any of the limits goes on while its bytes flow', async () => {
  const piece = 'a'.repeat(200)
  const pieces = 40
  let sent = 0
  const { ms, answer } = await hold(`${POST}content-length: ${piece.length * pieces}\r\n\r\n`, () =>
    (sent += 1) <= pieces ? piece : '',
  )
  expect(answer).toContain('whole')
  expect(ms).toBeGreaterThan(DRIP_MS * pieces)
})

it('a stream goes on whose route reads no body', async () => {
  const socket = open()
  socket.write('POST /stream HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n')
  await new Promise((resolve) => socket.once('data', resolve))
  await hold('')
  await hold('')
  expect(socket.destroyed || socket.readableEnded).toBe(false)
  socket.destroy()
})

it('more connections than allowed are refused', async () => {
  const { port, kill } = await serve({ ...CLIENT_LIMITS, connections: limits.connections })
  onTestFinished(kill)
  const sockets = Array.from({ length: limits.connections }, () => open(port))
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
  // Nothing else closes a connection of this server within the time of a test.
  const surplus = Array.from({ length: 10 }, () => open(port))
  await Promise.all(surplus.map((socket) => new Promise((resolve) => socket.resume().once('close', resolve))))
  expect(sockets.filter(({ closed }) => closed)).toEqual([])
})

it('of the real server a body may take hours, and headers 15 s', () => {
  expect(clientTimeouts(CLIENT_LIMITS)).toMatchObject({ requestTimeout: 0, headersTimeout: 15_000 })
})
