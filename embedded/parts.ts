// The storage, the workers and the API in this process, opened together.
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { answer, createApp } from '../api/app.ts'
import { Origins } from '../api/origins.ts'
import { serveSocket } from '../api/serve-socket.ts'
import type { ServerSocket } from '../api/server-socket.ts'
import { startServer } from '../api/server.ts'
import { ANYBODY } from '../api/services/access.ts'
import type { ApiContext } from '../api/services/context.ts'
import { CLOSE } from '../api/socket-writer.ts'
import type { TemporalPlace } from '../cli/temporal-place.ts'
import { createApiContext } from '../composition/api-context.ts'
import { compose } from '../composition/compose.ts'
import { publicUrl, readVersion } from '../composition/composition.ts'
import { ensureKey } from '../composition/ensure-key.ts'
import { startApiWork } from '../composition/start-api.ts'
import { startWorkers } from '../composition/start-workers.ts'
import { installRuntime } from '../composition/temporal-runtime.ts'
import { openStorage } from '../db/storage.ts'
import { checkSecretKey } from '../db/unreadable.ts'
import type { SocketHost } from './memory-socket.ts'
import type { ListeningServer, ServeOptions } from './options.ts'
import { type EmbeddedSettings, serverSettings } from './settings.ts'

export interface Parts {
  answer: (request: Request) => Promise<Response>
  sockets: SocketHost
  serve: (options: ServeOptions) => Promise<ListeningServer>
  /** Aborts, with the reason, when it cannot go on. */
  failed: AbortSignal
}

/** What is closed, in the order of opening. */
export type Closers = (() => Promise<void>)[]

export interface PartsOptions extends EmbeddedSettings {
  log: Logger
  temporal: Promise<TemporalPlace> | undefined
  closers: Closers
  stopping: AbortSignal
}

/** Drain timeout of requests when it is closed, in milliseconds. */
const DRAIN_MS = 5_000
/** The sender of what does not come over a network: such a request needs no key. */
const HERE = { address: undefined, proto: undefined, host: 'localhost' }

export async function openParts(options: PartsOptions): Promise<Parts> {
  const { settings, env, log, temporal, closers, stopping } = options
  const storage = await openStorage(settings)
  closers.push(() => storage.close())
  await checkSecretKey(storage.db, storage.box)
  const place = await temporal
  const placed = place
    ? { ...settings, temporal: { ...settings.temporal, address: place.address, ui_url: place.uiUrl } }
    : settings
  installRuntime(settings, log, { forward: true })
  const composed = { settings: placed, env, role: 'all' as const, storage, log, closers, stopping }
  const { shared, worker } = await compose(composed)
  const failed = new AbortController()
  const [workers, api] = await Promise.allSettled([
    worker && startWorkers(shared, worker, (error) => failed.abort(error)),
    createApiContext(shared, closers),
  ])
  if (workers.status === 'fulfilled' && workers.value) closers.push(workers.value)
  for (const part of [workers, api]) if (part.status === 'rejected') throw part.reason
  const { context, agents } = (api as PromiseFulfilledResult<Awaited<ReturnType<typeof createApiContext>>>).value
  await startApiWork(shared, context, agents, closers)
  // Who can call functions of this process needs no key. Temporal's UI and its codec endpoint need a port.
  const local: ApiContext = {
    ...context,
    auth: false,
    adminNetworks: undefined,
    temporalUiUrl: context.temporalUpstream === undefined ? context.temporalUiUrl : undefined,
    temporalUpstream: undefined,
  }
  const app = createApp(local, new Origins([]), { version: readVersion(), encrypted: true })
  const open = new Set<ServerSocket>()
  const answering = new Set<Promise<Response>>()
  closers.push(async () => {
    for (const socket of open) socket.close(CLOSE.restart, 'muxi was closed')
    await Promise.race([Promise.allSettled(answering), delay(DRAIN_MS, undefined, { ref: false })])
  })
  return {
    answer: (request) => {
      const answered = answer(local, app, request, HERE)
      answering.add(answered)
      const end = () => void answering.delete(answered)
      answered.then(end, end)
      return answered
    },
    sockets: {
      maxBytes: settings.limits.ws_frame_bytes,
      serve: (socket) => {
        open.add(socket)
        socket.on('close', () => open.delete(socket))
        serveSocket(socket, local, { principal: ANYBODY, address: undefined })
      },
    },
    serve: (asked) => serve(options, context, asked),
    failed: failed.signal,
  }
}

/** Opens an HTTP server, whose clients need a key. */
async function serve(
  { env, closers }: PartsOptions,
  context: ApiContext,
  asked: ServeOptions,
): Promise<ListeningServer> {
  const read = serverSettings(env, asked)
  const settings = asked.port === 0 ? { ...read, port: await freePort(read.host) } : read
  const key = await ensureKey(context.storage.db, settings.api_key, context.log)
  const closing = new AbortController()
  const public_url = publicUrl(settings)
  const { temporalUpstream, temporalUiUrl } = context
  const served: ApiContext = {
    ...context,
    auth: settings.api_key !== false,
    public_url,
    temporalUiUrl:
      temporalUpstream && temporalUiUrl ? `${public_url}${new URL(temporalUiUrl).pathname}` : temporalUiUrl,
    closing: AbortSignal.any([context.closing, closing.signal]),
  }
  const server = await startServer(served, { ...settings, tls: settings.edge.tls, version: readVersion() })
  if (context.closing.aborted) {
    await server.close()
    throw new Error('Cannot serve: it was closed')
  }
  let closed: Promise<void> | undefined
  const close = () => {
    closing.abort()
    closed ??= server.close()
    return closed
  }
  closers.push(close)
  return { url: server.url, ...(key !== undefined && { key }), close }
}

function freePort(host: string): Promise<number> {
  const probe = createServer()
  return new Promise((resolve, reject) => {
    probe.once('error', reject)
    probe.listen(0, host, () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}
