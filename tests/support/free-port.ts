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
