// A currently unused port.
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Below the ports that the system hands out: one of those could become the port of a connection before the test listens on it. */
const [FIRST, LAST] = [10_000, 32_000]
const given = new Set<number>()

export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, LAST)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    return await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen({ host: '127.0.0.1', port, exclusive: true }, () => resolve(true))
    })
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

/**
 * Settings of a supervisor whose Temporal server a test kills: it is started again on the same ports, and the default ones
 * may be taken by another test's server meanwhile.
 */
export async function temporalPorts(): Promise<Record<'MUXI_TEMPORAL_PORT' | 'MUXI_TEMPORAL_UI_PORT', string>> {
  return { MUXI_TEMPORAL_PORT: String(await freePort()), MUXI_TEMPORAL_UI_PORT: String(await freePort()) }
}
