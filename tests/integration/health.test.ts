// The health check of the Temporal server, against a real one and against ports where something else is, or nothing.
import { createServer, type Server } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { startDevServer } from '../../temporal-config/dev-server.ts'
import { isServing, untilServing } from '../../temporal-config/health.ts'
import { freePort } from '../support/free-port.ts'
import { tempDir } from '../support/temp-dir.ts'
import { temporalBinary } from '../support/temporal-binary.ts'

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as { port: number }).port
}

it('is true for a serving server, and false once it is stopped or hangs', async () => {
  const server = await startDevServer({ binary: await temporalBinary(), dataDir: tempDir(), env: process.env })
  onTestFinished(() => server.stop())
  expect(await isServing(server.port)).toBe(true)
  process.kill(server.pid, 'SIGSTOP')
  // Its other threads may run on for a moment.
  await expect.poll(() => isServing(server.port)).toBe(false)
  process.kill(server.pid, 'SIGCONT')
  await untilServing(server.port, { patience_ms: 10_000 })
  await server.stop()
  expect(await isServing(server.port)).toBe(false)
})

it('is false for a server with another protocol, and for one that closes at once', async () => {
  expect(await isServing(await listen(createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))))).toBe(
    false,
  )
  expect(await isServing(await listen(createServer((socket) => socket.destroy())))).toBe(false)
})

it('fails with one line when no server serves in time, and at once on abort', async () => {
  const port = await freePort()
  await expect(untilServing(port, { patience_ms: 0 })).rejects.toThrow(`it does not serve on port ${port} within 0 s`)
  await expect(untilServing(port, { patience_ms: 60_000, signal: AbortSignal.abort() })).rejects.toThrow(/abort/)
})
