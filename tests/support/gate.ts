// A TCP way to a server that a test can close.
import { once } from 'node:events'
import { createServer, connect, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Gate {
  /** Where the server is reached through the gate, as "host:port". */
  readonly address: string
  /** Drops what clients and server send from now on; connections stay open. */
  shut(): void
  /** Drops what the server answers from now on; requests still arrive. */
  dropAnswers(): void
  /** Breaks all connections; new ones pass. */
  open(): void
}

/** Opens a way to a server for the time of a test. */
export async function openGate(server: string): Promise<Gate> {
  const [host, port] = server.split(':')
  const sockets = new Set<Socket>()
  let dropped: 'nothing' | 'answers' | 'everything' = 'nothing'
  const gate = createServer((client) => {
    const up = connect(Number(port), host)
    const passes = (from: Socket) => dropped === 'nothing' || (dropped === 'answers' && from === client)
    for (const [from, to] of [
      [client, up],
      [up, client],
    ] as const) {
      sockets.add(from)
      from.on('data', (bytes) => void (passes(from) && to.write(bytes)))
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  const breakAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  gate.listen(0, '127.0.0.1')
  await once(gate, 'listening')
  onTestFinished(() => {
    breakAll()
    gate.close()
  })
  return {
    address: `127.0.0.1:${(gate.address() as AddressInfo).port}`,
    shut: () => {
      dropped = 'everything'
    },
    dropAnswers: () => {
      dropped = 'answers'
    },
    open: () => {
      dropped = 'nothing'
      breakAll()
    },
  }
}
