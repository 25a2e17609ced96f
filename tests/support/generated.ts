// Programs run in a project that `muxi mcp new` has written.
import { spawn } from 'node:child_process'
import { delimiter, dirname } from 'node:path'
import { cleanEnvironment, killWithUs, ROOT } from './children.ts'

const NODE_FOLDER = dirname(`${ROOT}node_modules/node/bin/node`)
const RUN_MS = 240_000

/** An environment with this repository's Node and nothing else of it. */
export function projectEnvironment(): Record<string, string> {
  const env = cleanEnvironment()
  const path = (env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.endsWith('node_modules/.bin'))
  const foreign = /^(npm_|INIT_CWD$|NODE_ENV$|NODE_PATH$)/
  const rest = Object.entries(env).filter(([name]) => !foreign.test(name))
  return { ...Object.fromEntries(rest), PATH: [NODE_FOLDER, ...path].join(delimiter) }
}

/** Runs a program to its end. @throws an error with what it wrote when it fails */
export async function runIn(folder: string, program: string, ...args: string[]): Promise<string> {
  const child = spawn(program, args, {
    cwd: folder,
    env: projectEnvironment(),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: RUN_MS,
    killSignal: 'SIGKILL',
  })
  const letLive = killWithUs(child.pid!)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  letLive()
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${output}`)
  return output
}

export interface Served {
  url: string
  stop(): Promise<number | null>
}

/** Starts a server that says where it listens. */
export async function startIn(folder: string, program: string, ...args: string[]): Promise<Served> {
  const env = { ...projectEnvironment(), PORT: '0' }
  const child = spawn(program, args, { cwd: folder, env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  const letLive = killWithUs(child.pid!)
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  let output = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      const found = /listening on (\S+)/.exec(output)?.[1]
      if (found) resolve(found)
    })
    void ended.then((code) => reject(new Error(`${program} ended with ${code}: ${output}`)))
  })
  return {
    url,
    async stop() {
      child.kill('SIGTERM')
      const code = await ended
      letLive()
      return code
    },
  }
}
