// Runs another program to its end and captures its output.
import { spawn } from 'node:child_process'

export interface RunResult {
  code: number | string
  output: string
  errors: string
}

/** Runs a program to its end; `code` is its exit code, its signal, or the reason why it could not be started. */
export function runProgram(
  program: string,
  args: string[],
  { env, signal }: { env?: Record<string, string | undefined>; signal?: AbortSignal | undefined },
): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(signal && { signal }),
    })
    let output = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-10_000)))
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.name === 'AbortError') reject(error)
      else resolve({ code: error.code ?? 'error', output, errors })
    })
    child.on('close', (code, name) => resolve({ code: code ?? name ?? 'error', output, errors }))
  })
}
