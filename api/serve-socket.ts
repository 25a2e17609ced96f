// Serves an open WebSocket of a caller that is allowed to have one, wherever its frames come from.
import type { Writable } from 'node:stream'
import type { Principal } from '../db/queries/keys.ts'
import { toMuxiError } from './errors.ts'
import type { ServerSocket } from './server-socket.ts'
import type { ApiContext } from './services/context.ts'
import type { OpenStream } from './services/open-streams.ts'
import { SocketSession } from './socket-session.ts'
import { CLOSE } from './socket-writer.ts'

/** Counts the socket among the open streams, and answers its frames until it closes. */
export function serveSocket(
  socket: ServerSocket,
  context: ApiContext,
  {
    principal,
    address,
    connection,
  }: { principal: Principal; address: string | undefined; connection?: Writable | undefined },
): void {
  let opened: OpenStream
  try {
    opened = context.openStreams.open(principal)
  } catch (error) {
    socket.close(CLOSE.tooMany, toMuxiError(error, context.log).message.slice(0, 120))
    return
  }
  socket.on('close', opened.close)
  socket.on('close', context.metrics.opened('websocket'))
  context.requestCounts.used(principal.key_id)
  const session = new SocketSession(socket, context, { principal, address, connection, revoked: opened.revoked })
  socket.on('message', (data, isBinary) => void session.take(data, isBinary))
}
