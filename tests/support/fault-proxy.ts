// A TCP proxy in front of an HTTP server that breaks connections as a plan says.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/**
 * `reset`: RST. `end`: the answer seems complete, at the next event. `cut`: the connection closes in the middle of the answer.
 * `hang`: no byte passes any more, and nothing closes. `refuse`: 502, and the server never sees the request. `none`: it passes.
 */
export type Fault = 'reset' | 'end' | 'cut' | 'hang' | 'refuse' | 'none'

export interface Plan {
  fault: Fault
  /** After so many bytes of the answer, or of the request. */
  after?: number
  of?: 'answer' | 'request'
}

export interface FaultProxy {
  url: string
  /** How often each fault was injected. */
  faults: Record<Fault, number>
  /** When each connection came, in milliseconds. */
  connections: number[]
  /** Bytes of the request and of the answer of the latest connection. */
  latest: { request: number; answer: number }
}

const BAD_GATEWAY = 'HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\nconnection: close\r\n\r\nBad'
/** The end of an event and of its chunk. */
const BOUNDARY = '\n\n\r\n'
const LAST_CHUNK = '0\r\n\r\n'

/** Starts it for the time of a test. @param plan asked for each connection */
export async function openFaultProxy(server: string, plan: () => Plan): Promise<FaultProxy> {
  const { hostname, port } = new URL(server)
  const sockets = new Set<Socket>()
  const faults: FaultProxy['faults'] = { reset: 0, end: 0, cut: 0, hang: 0, refuse: 0, none: 0 }
  const proxy: FaultProxy = { url: '', faults, connections: [], latest: { request: 0, answer: 0 } }
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    socket.setNoDelay(true)
    return socket
  }
  const listener = createServer((client) => {
    proxy.connections.push(performance.now())
    keep(client)
    const { fault, after = 0, of = 'answer' } = plan()
    if (fault === 'refuse') {
      faults.refuse += 1
      client.once('data', () => client.end(BAD_GATEWAY))
      return
    }
    const up = keep(connect(Number(port), hostname))
    const passed = { request: 0, answer: 0 }
    proxy.latest = passed
    let isOver = false
    // A server that is down: what a proxy says then.
    up.once('error', () => {
      if (up.bytesRead > 0 || isOver) return
      isOver = true
      client.end(BAD_GATEWAY)
    })
    const strike = (): void => {
      faults[fault] += 1
      if (fault === 'hang') {
        client.pause()
        up.destroy()
        return
      }
      if (fault === 'reset') client.resetAndDestroy()
      else client.end(fault === 'end' ? LAST_CHUNK : '')
      up.destroy()
    }
    for (const [from, to, direction] of [
      [client, up, 'request'],
      [up, client, 'answer'],
    ] as const) {
      let tail = ''
      from.on('data', (bytes) => {
        if (isOver) return
        tail = (tail + bytes.toString('latin1', Math.max(0, bytes.length - BOUNDARY.length))).slice(-BOUNDARY.length)
        const isDue = fault !== 'none' && direction === of && passed[of] + bytes.length >= after
        // A clean end waits for the end of an event.
        if (!isDue || (fault === 'end' && tail !== BOUNDARY)) {
          passed[direction] += bytes.length
          if (!to.write(bytes)) {
            from.pause()
            to.once('drain', () => from.resume())
          }
          return
        }
        const part = fault === 'end' ? bytes : bytes.subarray(0, after - passed[of])
        passed[direction] += part.length
        isOver = true
        // A reset discards what the client has not read yet, as on a real network; the server gets its part of the request.
        to.write(part, strike)
      })
      from.on('close', () => {
        if (isOver) return
        if (from.errored) to.resetAndDestroy()
        else to.end()
      })
    }
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  proxy.url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
  return proxy
}

/**
 * Random faults after some bytes of an answer, the same for the same random numbers; of each five faults each kind is one.
 * @param share of connections with a fault
 */
export function randomPlans(random: () => number, share: number, bytes: readonly [number, number]): () => Plan {
  let left: Fault[] = []
  return () => {
    if (random() >= share) return { fault: 'none' }
    if (left.length === 0) left = ['reset', 'end', 'cut', 'hang', 'refuse']
    const [fault] = left.splice(Math.floor(random() * left.length), 1)
    return { fault: fault!, after: Math.round(bytes[0] + random() * (bytes[1] - bytes[0])) }
  }
}
