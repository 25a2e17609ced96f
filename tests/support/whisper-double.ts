// A server that speaks OpenAI's transcription on the wire, as whisper.cpp and faster-whisper do: what it says is told by the sound's length.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { unlessAborted } from './unless-aborted.ts'

const HEADER = 44
const BYTES_A_SECOND = 32_000

export class WhisperDouble {
  /** Length of every piece that was asked for, in bytes, in the order in which they came. */
  readonly asked: number[] = []
  /** How long it takes for a piece, in milliseconds. */
  delay_ms = 0
  /** How many pieces are answered before `release`. */
  #answered = Infinity
  #released = Promise.withResolvers<void>()
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<WhisperDouble> {
    const double: WhisperDouble = new WhisperDouble(
      createServer((request, response) => {
        void (async () => {
          const body = await readBody(request)
          if (request.url === '/v1/models') {
            response.setHeader('content-type', 'application/json')
            return response.end(JSON.stringify({ data: [{ id: 'Systran/faster-whisper-tiny' }] }))
          }
          if (request.url !== '/v1/audio/transcriptions') return response.writeHead(404).end()
          const form = await new Response(new Uint8Array(body), {
            headers: { 'content-type': String(request.headers['content-type']) },
          }).formData()
          const { size } = form.get('file') as Blob
          double.asked.push(size)
          const isHeld = double.asked.length > double.#answered
          await sleep(double.delay_ms)
          if (isHeld) await double.#released.promise
          response.setHeader('content-type', 'application/json')
          response.end(JSON.stringify(transcriptOf(size)))
        })().catch(unlessAborted(request))
      }),
    )
    await new Promise<void>((resolve) => double.#server.listen(0, '127.0.0.1', resolve))
    return double
  }

  /** Forgets what was asked for, and from now on answers only the first pieces until `release`. */
  holdAfter(pieces: number): void {
    this.asked.length = 0
    this.#answered = pieces
    this.#released = Promise.withResolvers()
  }

  /** Answers everything that waits and that will come. */
  release(): void {
    this.#answered = Infinity
    this.#released.resolve()
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/v1`
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}

function transcriptOf(size: number) {
  const seconds = (size - HEADER) / BYTES_A_SECOND
  const text = `A gull cried for ${seconds.toFixed(3)} seconds.`
  const noise = { start: seconds, end: seconds, text: ' Thanks for watching!', no_speech_prob: 0.97 }
  return {
    text: `${text} Thanks for watching!`,
    language: 'en',
    segments: [{ start: 0, end: seconds, text: ` ${text}`, no_speech_prob: 0.01 }, noise],
  }
}

async function readBody(request: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}
