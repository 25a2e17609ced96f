// Finds the `temporal` binary, or installs it: by the SDK's download, otherwise built with Go.
import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runProgram } from './run-program.ts'

/** The last version that `go install` accepts (later ones have replacements in go.mod); server 1.29.1, UI 2.42.1. */
export const TEMPORAL_VERSION = '1.5.1'
const GO_PACKAGE = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_VERSION}`
const FILE_NAME = `temporal-${TEMPORAL_VERSION}`

export interface BinaryOptions {
  dataDir: string
  env: Record<string, string | undefined>
  /** Called with one line per step, because a step may take minutes. */
  say: (line: string) => void
  /** The command that runs a script of muxi on the current runtime. */
  scriptCommand: (script: string, ...args: string[]) => [string, string[]]
  signal?: AbortSignal | undefined
}

/**
 * A working `temporal` binary: on the PATH, in the data folder, or in the user's cache, where one copy serves all data
 * folders.
 */
export async function findServerBinary({ dataDir, env }: Pick<BinaryOptions, 'dataDir' | 'env'>) {
  const onPath = (env['PATH'] ?? '').split(delimiter).filter(Boolean)
  const candidates = [
    ...onPath.map((folder) => join(folder, 'temporal')),
    join(dataDir, 'bin', FILE_NAME),
    join(cacheFolder(env), FILE_NAME),
  ]
  for (const file of candidates) {
    if (await answersVersion(file)) return file
  }
  return undefined
}

/** Like `findServerBinary`, and installs the binary if there is none; throws an error that says what to do. */
export async function getServerBinaryOrThrow(options: BinaryOptions): Promise<string> {
  const found = await findServerBinary(options)
  if (found) return found
  const folder = await writableFolder([cacheFolder(options.env), join(options.dataDir, 'bin')])
  // Installed to a temporary folder first: concurrent starts must see either nothing or the complete file.
  const workshop = await mkdtemp(join(folder, 'getting-'))
  try {
    const made = (await download(workshop, options)) ?? (await build(workshop, options))
    if (!made) {
      throw new Error(
        'Cannot get the Temporal server: its download is refused here and Go is not installed. ' +
          `Install Go, or put 'temporal' (https://temporal.io/setup/install-temporal-cli) on the PATH, or set TEMPORAL_ADDRESS to a running server`,
      )
    }
    await rename(made, join(folder, FILE_NAME))
    return join(folder, FILE_NAME)
  } finally {
    await rm(workshop, { recursive: true, force: true })
  }
}

function cacheFolder(env: BinaryOptions['env']): string {
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'muxi')
}

async function writableFolder(folders: string[]): Promise<string> {
  let cause: unknown
  for (const folder of folders) {
    try {
      await mkdir(folder, { recursive: true })
      await access(folder, constants.W_OK)
      return folder
    } catch (error) {
      cause = error
    }
  }
  throw new Error(`Cannot get the Temporal server: one of ${folders.join(', ')} must be writable`, { cause })
}

async function answersVersion(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => new Promise<boolean>((resolve) => execFile(file, ['--version'], (error) => resolve(!error))),
    () => false,
  )
}

/** In a separate process: the SDK's native runtime takes over the signals of the process that loads it. */
async function download(folder: string, { say, scriptCommand, signal }: BinaryOptions): Promise<string | undefined> {
  say(`getting the Temporal server ${TEMPORAL_VERSION}: downloading …`)
  const script = fileURLToPath(new URL('download-server.ts', import.meta.url))
  const { code, output } = await runProgram(...scriptCommand(script, folder), { signal })
  if (code === 0) return output.trim()
  say('the download of the Temporal server is refused or failed')
  return undefined
}

async function build(folder: string, { env, say, signal }: BinaryOptions): Promise<string | undefined> {
  const started = Date.now()
  const seconds = () => Math.round((Date.now() - started) / 1000)
  say(`building the Temporal server with Go instead (2 to 5 minutes, once): ${GO_PACKAGE}`)
  const progress = setInterval(() => say(`still building the Temporal server (${seconds()} s)`), 20_000)
  try {
    const args = ['install', '-ldflags', '-s -w', GO_PACKAGE]
    const { code, errors } = await runProgram('go', args, { env: { ...env, GOBIN: folder }, signal })
    if (code === 'ENOENT') return undefined
    if (code !== 0)
      throw new Error(`Cannot build the Temporal server: 'go install' ended with ${code}: ${lastLine(errors)}`)
    say(`the Temporal server was built in ${seconds()} s`)
    return join(folder, 'temporal')
  } finally {
    clearInterval(progress)
  }
}

const lastLine = (text: string) => text.trim().split('\n').at(-1) ?? ''
