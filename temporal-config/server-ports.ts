// The ports of the dev server: those that were set, else those of last time, else Temporal's usual ones, else free ones.
import { createServer } from 'node:net'
import type { ServerPorts } from './server-state.ts'

/** Whether a server could listen there now; otherwise the system's error code, usually EADDRINUSE. */
export async function listenError(host: string, port: number): Promise<string | undefined> {
  const server = createServer()
  try {
    return await new Promise<string | undefined>((resolve) => {
      server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      server.listen({ host, port, exclusive: true }, () => resolve(undefined))
    })
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

/** Two free ports for the server. Somebody may take one before the server does: a start that fails for it chooses anew. */
export async function choosePorts(
  wanted: { port?: number | undefined; uiPort?: number | undefined },
  last: ServerPorts | undefined,
): Promise<ServerPorts> {
  const port = await choose('MUXI_TEMPORAL_PORT', wanted.port, [last?.port, 7233])
  const uiPort = await choose('MUXI_TEMPORAL_UI_PORT', wanted.uiPort, [last?.uiPort, 8233], port)
  return { port, uiPort }
}

async function choose(name: string, wanted: number | undefined, usual: (number | undefined)[], taken?: number) {
  if (wanted !== undefined) {
    const error = await listenError('127.0.0.1', wanted)
    if (!error) return wanted
    throw new Error(`Cannot start the Temporal server: port ${wanted} ('${name}') must be free, got ${error}`)
  }
  for (const port of usual) {
    if (port !== undefined && port !== taken && !(await listenError('127.0.0.1', port))) return port
  }
  return freePort()
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
