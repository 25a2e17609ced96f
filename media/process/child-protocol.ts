// The child's side of the RPC of `asked-program.ts`: answers one request per line and exits with its parent.
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import type { LastLine } from './rpc-program.ts'
import { MediaFailure } from '../failure.ts'

/** The writable folder. */
export const folder = process.argv[3] ?? ''

/** @param answer its errors are reported: a `MediaFailure` as the fault of the file */
export function answerRequests<Request>(
  answer: (request: Request, say: (piece: unknown) => void) => Promise<object>,
): void {
  // A library may block this thread forever, so another one checks whether the parent is alive.
  const guard = `setInterval(() => { if (process.ppid !== ${Number(process.argv[2])}) process.kill(process.pid, 'SIGKILL') }, 250)`
  new Worker(guard, { eval: true }).unref()
  const lines = createInterface({ input: process.stdin })
  lines.on('close', () => process.kill(process.pid, 'SIGKILL'))
  // Output of libraries must not mix with the answers.
  console.log = console.info = console.warn = console.error
  const write = (words: LastLine | { piece: unknown }) => process.stdout.write(`${JSON.stringify(words)}\n`)
  lines.on('line', (line) => {
    answer(JSON.parse(line) as Request, (piece) => write({ piece })).then(
      (done) => write({ done }),
      (error: unknown) => {
        if (error instanceof MediaFailure) write({ failure: { reason: error.reason, message: error.message } })
        else write({ error: error instanceof Error ? error.message : String(error) })
      },
    )
  })
}
