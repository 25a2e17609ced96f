// A WebSocket whose peer has disappeared is closed, and frees its place among the streams of its key.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { Clients } from '../../api/clients.ts'
import { Origins } from '../../api/origins.ts'
import type { ApiContext } from '../../api/services/context.ts'
import { Metrics } from '../../api/services/metrics.ts'
import { OpenStreams } from '../../api/services/open-streams.ts'
import { serveWebSocket } from '../../api/websocket.ts'

const PING_MS = 50

it('closes a socket that does not answer a ping, and no other one', async () => {
  const log = pino({ level: 'silent' })
  const openStreams = new OpenStreams({
    limits: { streams_per_key: 5, streams: 5 },
    findValid: () => Promise.resolve(new Set()),
    log,
  })
  const context = {
    auth: false,
    limits: { ws_frame_bytes: 1_000 },
    clients: new Clients([]),
    requestCounts: { used: () => undefined },
    rateLimiter: {},
    openStreams,
    metrics: new Metrics(),
    log,
  } as unknown as ApiContext
  const server = createServer()
  const close = serveWebSocket(server, context, new Origins([]), PING_MS)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `ws://127.0.0.1:${port}/api/v1/ws`

  const answering = new WebSocket(url)
  let pings = 0
  answering.on('ping', () => (pings += 1))
  await once(answering, 'open')
  const silent = connect(port, '127.0.0.1')
  silent.write(
    `GET /api/v1/ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  )
  const ended = once(silent, 'close')
  await expect.poll(() => openStreams.count).toBe(2)
  silent.resume()
  await ended
  await expect.poll(() => openStreams.count).toBe(1)
  const before = pings
  await expect.poll(() => pings).toBeGreaterThan(before + 1)
  expect(answering.readyState).toBe(WebSocket.OPEN)
  answering.close()
  await close()
  server.close()
})
