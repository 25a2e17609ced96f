// Refuses to start on a port that another process uses.
import { retry } from '../contracts/retry.ts'
import { listenError } from '../temporal-config/server-ports.ts'

/** Timeout in milliseconds: a previous process that drains stops listening within it. */
const PATIENCE_MS = 3_000
const PAUSE_MS = 200

class PortInUse extends Error {
  override readonly name = 'PortInUse'
}

/** Resolves when the port is free; throws a one-line error when it stays in use. */
export async function checkPortOrThrow(host: string, port: number, signal: AbortSignal): Promise<void> {
  const check = async () => {
    const error = await listenError(host, port)
    if (!error) return
    const message = `Cannot start: port ${port} of ${host} ('MUXI_PORT') must be free, got ${error}`
    throw error === 'EADDRINUSE' ? new PortInUse(message) : new Error(message)
  }
  const mayPass = (error: unknown) => error instanceof PortInUse
  await retry(check, { patience_ms: PATIENCE_MS, pause_ms: PAUSE_MS, mayPass, signal })
}
