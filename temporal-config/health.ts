// Health check of muxi's Temporal server: one gRPC request over a plain socket. The SDK's client would cost its
// caller, the supervisor, 40 MiB, and `node:http2` 5 (measured).
import { connect } from 'node:net'
import { retry } from '../contracts/retry.ts'

/** Timeout of the response, in milliseconds. */
const ANSWER_MS = 2_000
const POLL_MS = 25

const SERVICE = 'temporal.api.workflowservice.v1.WorkflowService'
/** Frame types of HTTP/2 (RFC 9113, section 6). */
const DATA = 0
const HEADERS = 1
const SETTINGS = 4
const FRAME_HEADER_BYTES = 9
const END_STREAM = 1
const ACK = 1
const END_HEADERS = 4
/** A gRPC message with `HealthCheckResponse { status: SERVING }`. */
const SERVING = Buffer.from([0, 0, 0, 0, 2, 0x08, 0x01])

/** Whether a server on this port of the loopback address reports SERVING; false after two seconds without a response. */
export function isServing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    const deadline = setTimeout(() => socket.destroy(), ANSWER_MS)
    let serving = false
    let received = Buffer.alloc(0)
    let message = Buffer.alloc(0)
    socket.on('connect', () => socket.write(request(port)))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      for (;;) {
        const length = received.length < FRAME_HEADER_BYTES ? Infinity : received.readUIntBE(0, 3)
        if (received.length < FRAME_HEADER_BYTES + length) return
        const [type, flags] = [received[3], received[4]!]
        if (type === SETTINGS && (flags & ACK) === 0) socket.write(frame(SETTINGS, ACK, 0))
        // There is one stream only.
        if (type === DATA)
          message = Buffer.concat([message, received.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length)])
        received = received.subarray(FRAME_HEADER_BYTES + length)
        serving = message.equals(SERVING)
        if (serving || (type === HEADERS && (flags & END_STREAM) !== 0)) socket.destroy()
      }
    })
    socket.on('error', () => {}) // `close` follows
    socket.on('close', () => {
      clearTimeout(deadline)
      resolve(serving)
    })
  })
}

/** Resolves when a server on this port serves; throws after `patience_ms`. */
export async function untilServing(
  port: number,
  { patience_ms, signal }: { patience_ms: number; signal?: AbortSignal | undefined },
): Promise<void> {
  signal?.throwIfAborted()
  const look = async () => {
    if (!(await isServing(port))) throw new Error(`it does not serve on port ${port} within ${patience_ms / 1000} s`)
  }
  await retry(look, { patience_ms, pause_ms: POLL_MS, signal })
}

/** The connection preface, settings and `grpc.health.v1.Health/Check` as the first stream. */
function request(port: number): Buffer {
  const headers = Buffer.concat([
    // HPACK (RFC 7541): `:method POST` and `:scheme http` of the static table, then literals without indexing.
    Buffer.from([0x83, 0x86]),
    literal([0x04], '/grpc.health.v1.Health/Check'), // :path
    literal([0x01], `127.0.0.1:${port}`), // :authority
    literal([0x0f, 0x10], 'application/grpc'), // content-type
    literal([0x00, ...prefixed('te')], 'trailers'),
  ])
  const check = Buffer.from([0x0a, ...prefixed(SERVICE)])
  const length = Buffer.alloc(5)
  length.writeUInt32BE(check.length, 1)
  return Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(SETTINGS, 0, 0),
    frame(HEADERS, END_HEADERS, 1, headers),
    frame(DATA, END_STREAM, 1, Buffer.concat([length, check])),
  ])
}

function literal(name: number[], value: string): Buffer {
  return Buffer.from([...name, ...prefixed(value)])
}

/** A length-prefixed string shorter than 127 bytes. */
function prefixed(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
}

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES)
  header.writeUIntBE(payload.length, 0, 3)
  header[3] = type
  header[4] = flags
  header.writeUInt32BE(stream, 5)
  return Buffer.concat([header, payload])
}
