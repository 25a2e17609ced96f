// A cheap HTTP/1.1 client: requests over open connections, one after another on each, so that the client costs less than what it measures.
import { connect } from 'node:net'
import { percentile } from './measure.ts'

export interface Load {
  a_second: number
  p50: number
  p99: number
  statuses: Record<number, number>
}

export interface LoadOptions {
  url: string
  method?: string
  headers?: Record<string, string>
  total: number
  connections: number
  /** Path and body of each request. */
  request: (count: number) => { path: string; body?: object }
}

/** Sends so many requests over so many connections. */
export async function load(options: LoadOptions): Promise<Load> {
  let sent = 0
  const times: number[] = []
  const statuses: Record<number, number> = {}
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: options.connections }, () =>
      useConnection(options, () => (sent < options.total ? (sent += 1) : undefined), statuses, times),
    ),
  )
  const seconds = (performance.now() - startedAt) / 1_000
  return { a_second: options.total / seconds, p50: percentile(times, 50), p99: percentile(times, 99), statuses }
}

/** @param next the number of the next request; undefined: there is none */
function useConnection(
  { url, method = 'GET', headers = {}, request }: LoadOptions,
  next: () => number | undefined,
  statuses: Record<number, number>,
  times: number[],
): Promise<void> {
  const { host, hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let startedAt = 0
  let received: Buffer = Buffer.alloc(0)
  const send = () => {
    const count = next()
    if (count === undefined) return void socket.end()
    const { path, body } = request(count)
    const text = body === undefined ? '' : JSON.stringify(body)
    const fields = { host, ...headers, ...(body && { 'content-length': String(Buffer.byteLength(text)) }) }
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
    startedAt = performance.now()
    socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${text}`)
  }
  socket.on('connect', send)
  socket.on('data', (data: Buffer) => {
    received = received.length === 0 ? data : Buffer.concat([received, data])
    const status = statusOfWhole(received)
    if (status === undefined) return
    times.push(performance.now() - startedAt)
    statuses[status] = (statuses[status] ?? 0) + 1
    received = Buffer.alloc(0)
    send()
  })
  socket.on('error', reject)
  socket.on('close', () => resolve())
  return promise
}

/** The status of an answer that has arrived as a whole. */
function statusOfWhole(bytes: Buffer): number | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = bytes.toString('latin1', 0, end)
  const status = Number(head.slice(9, 12))
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  const isWhole =
    status === 304 ||
    (length === undefined
      ? bytes.subarray(-5).toString('latin1') === '0\r\n\r\n'
      : bytes.length >= end + 4 + Number(length))
  return isWhole ? status : undefined
}
