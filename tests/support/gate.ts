// A TCP way to a server that a test can close.
import { once } from 'node:events'
import { createServer, connect, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Gate {
  /** Where the server is reached through the gate, as "host:port". */
  readonly address: string
  /** What is sent from now on reaches nobody; who sends sees an open connection that keeps silent. */
  shut(): void
}

/** Opens a way to a server for the time of a test. */
export async function openGate(server: string): Promise<Gate> {
  const [host, port] = server.split(':')
  const sockets = new Set<Socket>()
  let shut = false
  const gate = createServer((from) => {
    const to = connect(Number(port), host)
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      sockets.add(socket)
      socket.on('data', (bytes) => shut || other.write(bytes))
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  gate.listen(0, '127.0.0.1')
  await once(gate, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    gate.close()
  })
  return {
    address: `127.0.0.1:${(gate.address() as AddressInfo).port}`,
    shut: () => {
      shut = true
    },
  }
}
