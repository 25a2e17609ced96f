// Installs each peer's pinned packages into a folder of the user's cache, so that they are no dependencies of muxi.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SERVERS = fileURLToPath(new URL('servers', import.meta.url))
const CACHE = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'muxi', 'peers')

/** Where a peer's server runs, beside its packages. */
export function peerFolder(name: string): string {
  return join(CACHE, name)
}

/** Copies the server there, and runs npm when a package is missing or of another version. */
export function installPeer(name: string): void {
  const folder = peerFolder(name)
  mkdirSync(folder, { recursive: true })
  cpSync(join(SERVERS, 'stream-model.mjs'), join(CACHE, 'stream-model.mjs'))
  cpSync(join(SERVERS, name), folder, { recursive: true })
  if (isInstalled(folder)) return
  console.error(`installing the packages of ${name} into ${folder} …`)
  const { status, error } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SCARF_ANALYTICS: 'false', DO_NOT_TRACK: '1' },
  })
  if (status !== 0)
    throw new Error(`Cannot install the packages of ${name}: npm ended with ${error?.message ?? status}`)
}

function isInstalled(folder: string): boolean {
  const read = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'))
  const pinned: Record<string, string> = read('package.json').dependencies
  return Object.entries(pinned).every(([name, version]) => {
    const file = join('node_modules', name, 'package.json')
    return existsSync(join(folder, file)) && read(file).version === version
  })
}
