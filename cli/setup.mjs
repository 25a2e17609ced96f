// Installs the locked dependencies where that is needed, then runs a script on the Node or Deno that came with them.
// Plain JavaScript for any Node from 20 on, with nothing installed: `node cli/setup.mjs node|deno <script> [arguments]`.
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const PROGRAMS = {
  node: [join(root, 'node_modules/node/bin/node')],
  deno: [join(root, 'node_modules/deno/deno'), 'run', '-A', '--node-modules-dir=manual'],
}

if (!isInstalled()) install()
const [program, ...args] = process.argv.slice(2)
if (program) run(program, args)

/** Compares what is locked with what npm wrote down when it had installed everything, and looks for the two runtimes. */
function isInstalled() {
  try {
    for (const [file] of Object.values(PROGRAMS)) accessSync(file)
    const locked = packagesOf('package-lock.json')
    const installed = packagesOf('node_modules/.package-lock.json')
    return Object.entries(locked).every(([path, entry]) => {
      if (path === '') return true
      const found = installed[path]
      return found ? found.version === entry.version : isOptional(entry)
    })
  } catch {
    return false // something is not there yet
  }
}

function packagesOf(file) {
  return JSON.parse(readFileSync(join(root, file), 'utf8')).packages
}

/** Packages for other systems are left out by npm, and those for development where NODE_ENV says so. */
function isOptional({ optional, dev, devOptional }) {
  return optional || devOptional || (dev && process.env.NODE_ENV === 'production')
}

function install() {
  console.log('muxi: installing the dependencies (npm ci), about a minute …')
  // Not with the node of node_modules, which `npm run` puts first on the PATH and `npm ci` is about to delete.
  const path = (process.env.PATH ?? '').split(':').filter((folder) => !folder.endsWith('node_modules/.bin'))
  const env = { ...process.env, PATH: path.join(':') }
  const { status, error } = spawnSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], {
    cwd: root,
    env,
    stdio: 'inherit',
  })
  if (status === 0) return
  console.error(`muxi: cannot install the dependencies: npm ci ended with ${error?.message ?? status}`)
  process.exit(1)
}

/** Stands in for the program until it ends: passes signals on, and ends as it ended. */
function run(name, programArgs) {
  if (!PROGRAMS[name]) throw new Error(`Cannot run '${name}': it must be node or deno`)
  const [file, ...flags] = PROGRAMS[name]
  const child = spawn(file, [...flags, ...programArgs], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)))
}
