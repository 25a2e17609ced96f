// The protocol of child programs, one line a message, and the child's side of it: it answers one request at a time and exits
// with its parent.
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import { MediaFailure, type MediaFailureReason } from '../failure.ts'

/**
 * `ready` once, when it has started. An answer is any number of pieces and one of the last three; `error` is an internal
 * error, not a fault of the file.
 */
export type ChildMessage = { ready: true } | { piece: unknown } | LastMessage
export type LastMessage =
  | { done: object }
  | { failure: { reason: MediaFailureReason; message: string } }
  | { error: string }

const [parentPid, memoryMb, ownFolder = ''] = process.argv.slice(2)
/** The writable folder, if it has one. */
export const folder = ownFolder

// A library may block the main thread forever, so another one checks whether the parent is alive. It also enforces the memory
// limit where the parent cannot read /proc. SIGKILL: an orderly exit would wait for the threads of native libraries.
const GUARD = `
setInterval(() => {
  if (process.ppid !== ${Number(parentPid)} || process.memoryUsage().rss > ${Number(memoryMb)} * 2 ** 20) process.kill(process.pid, 'SIGKILL')
}, 250)`

/** In Node 24.21, a worker thread gets whatever permissions its `execArgv` names: who may start one may write anywhere. */
function forbidThreads(): void {
  const { permission } = process as { permission?: { drop?: (scope: string) => void } }
  permission?.drop?.('worker')
}

/**
 * @param answer its errors are reported: a `MediaFailure` as the fault of the file
 * @param options `threads`: it needs worker threads of its own
 */
export function answerRequests<Request>(
  answer: (request: Request, sendPiece: (piece: unknown) => void) => Promise<object>,
  { threads = false } = {},
): void {
  new Worker(GUARD, { eval: true }).unref()
  if (!threads) forbidThreads()
  const lines = createInterface({ input: process.stdin })
  lines.on('close', () => process.kill(process.pid, 'SIGKILL'))
  // Output of libraries must not mix with the answers.
  console.log = console.info = console.warn = console.error
  const send = (message: ChildMessage) => process.stdout.write(`${JSON.stringify(message)}\n`)
  lines.on('line', (line) => {
    answer(JSON.parse(line) as Request, (piece) => send({ piece })).then(
      (done) => send({ done }),
      (error: unknown) => {
        if (error instanceof MediaFailure) send({ failure: { reason: error.reason, message: error.message } })
        else send({ error: error instanceof Error ? error.message : String(error) })
      },
    )
  })
  send({ ready: true })
}
