// The ports of the dev server: configured, else those of the last start, else the defaults, else (except for the UI) free
// ones.
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import type { ServerPorts } from './server-state.ts'

/**
 * Ports above 1024 that no browser connects to: of the "bad ports" of the Fetch standard (https://fetch.spec.whatwg.org/#port-blocking)
 * those that Chromium 156 blocks too (not 4190, 6679) and that no policy of it opens (not 6566, 10080).
 * The UI has neither authentication nor a Host check, and its public path is optional in requests (UI 2.42.1): on these
 * ports, no web page
 * reaches it, DNS rebinding or not. Our proxy does not use `fetch`, which refuses these ports too.
 */
export const PORTS_CLOSED_TO_BROWSERS = [
  1719, 1720, 1723, 2049, 3659, 4045, 5060, 5061, 6000, 6665, 6666, 6667, 6668, 6669, 6697,
]

export function isClosedToBrowsers(port: number): boolean {
  return PORTS_CLOSED_TO_BROWSERS.includes(port)
}

/** Undefined if a server can listen on the port now; otherwise the system's error code, usually EADDRINUSE. */
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

/** Two free ports for the server. Another process may bind one before the server does: the failed start then chooses again. */
export async function choosePorts(
  wanted: { port?: number | undefined; uiPort?: number | undefined },
  last: ServerPorts | undefined,
): Promise<ServerPorts> {
  const port = await choose('MUXI_TEMPORAL_PORT', wanted.port, [last?.port, 7233], undefined)
  // At random: with the first port, the slower of two concurrent starts would fail every time.
  const start = randomInt(PORTS_CLOSED_TO_BROWSERS.length)
  const closed = [...PORTS_CLOSED_TO_BROWSERS.slice(start), ...PORTS_CLOSED_TO_BROWSERS.slice(0, start)]
  const lastUi = last && isClosedToBrowsers(last.uiPort) ? last.uiPort : undefined
  const uiPort = await choose('MUXI_TEMPORAL_UI_PORT', wanted.uiPort, [lastUi, ...closed], port)
  return { port: port ?? (await freePort()), uiPort: uiPort ?? noUiPort() }
}

/** Undefined: no default port is free. */
async function choose(
  name: string,
  wanted: number | undefined,
  usual: (number | undefined)[],
  taken: number | undefined,
): Promise<number | undefined> {
  if (wanted !== undefined) {
    const error = await listenError('127.0.0.1', wanted)
    if (!error) return wanted
    throw new Error(`Cannot start the Temporal server: port ${wanted} ('${name}') must be free, got ${error}`)
  }
  for (const port of usual) {
    if (port !== undefined && port !== taken && !(await listenError('127.0.0.1', port))) return port
  }
  return undefined
}

function noUiPort(): never {
  throw new Error(
    `Cannot start the Temporal server: one of the ports ${PORTS_CLOSED_TO_BROWSERS.join(', ')}, which no web page can reach, must be free for its UI. ` +
      `Free one, or set MUXI_TEMPORAL_UI_PORT to another port, where any page open in a browser of this machine may read the histories`,
  )
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
