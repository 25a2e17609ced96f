// Refuses to start on a port that somebody else has.
import { setTimeout as sleep } from 'node:timers/promises'
import { listenError } from '../temporal-config/server-ports.ts'

/** A process of before may still be draining: it has stopped listening by then. */
const PATIENCE_MS = 3_000

/** Resolves when the port is free; throws one clear line when it stays taken. */
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
