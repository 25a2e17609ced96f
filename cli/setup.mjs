// Installs the locked dependencies if needed, and exits. Plain JavaScript for any Node from 20 on, with nothing
// installed: `node cli/setup.mjs [deno] [development]` adds these to the production packages.
import { spawnSync } from 'node:child_process'
import { accessSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const wanted = process.argv.slice(2)
const development = wanted.includes('development')
for (const name of wanted) {
  if (!['deno', 'development'].includes(name))
    throw new Error(`Cannot set up '${name}': it must be deno or development`)
}

if (!isInstalled(root, 'node_modules/node/bin/node')) {
  install(root, development ? ['--include=dev'] : ['--omit=dev'], 'the dependencies')
  compile()
}
const deno = join(root, 'cli/deno')
if (wanted.includes('deno') && !isInstalled(deno, 'node_modules/deno/deno')) install(deno, [], 'Deno')

/** Compares the lock file with npm's list of installed packages, and checks for the runtime. */
function isInstalled(folder, runtime) {
  try {
    accessSync(join(folder, runtime))
    const locked = packagesOf(join(folder, 'package-lock.json'))
    const installed = packagesOf(join(folder, 'node_modules/.package-lock.json'))
    return Object.entries(locked).every(([path, entry]) => {
      if (path === '') return true
      const found = installed[path]
      return found ? found.version === entry.version : isOptional(entry)
    })
  } catch {
    return false // not installed yet
  }
}

function packagesOf(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages
}

/** npm skips packages for other systems, and development packages unless they are requested. */
function isOptional({ optional, dev, devOptional }) {
  return optional || ((devOptional || dev) && !development)
}

function install(folder, flags, what) {
  console.log(`muxi: installing ${what} (npm ci), about a minute …`)
  // Not with the node of node_modules, which `npm run` puts first on the PATH and `npm ci` is about to delete.
  const path = (process.env.PATH ?? '').split(':').filter((each) => !each.endsWith('node_modules/.bin'))
  const env = { ...process.env, PATH: path.join(':') }
  const { status, error } = spawnSync('npm', ['ci', ...flags, '--no-fund', '--no-audit', '--loglevel=error'], {
    cwd: folder,
    env,
    stdio: 'inherit',
  })
  if (status === 0) return
  console.error(`muxi: cannot install ${what}: npm ci ended with ${error?.message ?? status}`)
  process.exit(1)
}

/** Fills the compile cache of `muxi.mjs`, so that the first start needs no type stripping either. */
function compile() {
  const script = "for (const name of ['supervisor.ts', 'process.ts', 'muxi.mjs']) await import(`./cli/${name}`)"
  const env = { ...process.env, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE || 'node_modules/.cache/muxi' }
  // Only an optimization: an error shows at the start.
  spawnSync('node_modules/node/bin/node', ['--input-type=module', '--eval', script, 'muxi', 'help'], {
    cwd: root,
    env,
    stdio: 'ignore',
  })
}
