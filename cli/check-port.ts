// Refuses to start on a port that another process uses.
import { setTimeout as sleep } from 'node:timers/promises'
import { listenError } from '../temporal-config/server-ports.ts'

/** Timeout in milliseconds: a previous process that drains stops listening within it. */
const PATIENCE_MS = 3_000

/** Resolves when the port is free; throws a one-line error when it stays in use. */
export async function checkPortOrThrow(host: string, port: number, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const error = await listenError(host, port)
    if (!error) return
    if (Date.now() > deadline || error !== 'EADDRINUSE') {
      throw new Error(`Cannot start: port ${port} of ${host} ('MUXI_PORT') must be free, got ${error}`)
    }
    await sleep(200, undefined, { signal })
  }
}
