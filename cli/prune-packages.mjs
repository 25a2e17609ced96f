// Removes from node_modules what muxi never loads: npm runs it after every install (`postinstall`), and it may run again.
// What a development installation needs (types, source maps, the compiler) goes from one of production only.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const packages = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules')
/** For people, types and debuggers: neither Node nor Deno runs TypeScript of packages. Licences stay. */
const NOT_RUN = /\.(map|[cm]?tsx?)$|^(readme|changelog|history)(\.[a-z.-]+)?$/i

if (existsSync(join(packages, '.package-lock.json'))) {
  pruneAlways()
  if (isProduction()) pruneForProduction()
}

function pruneAlways() {
  // The engine's native part, of which this machine loads one.
  removeIn('@temporalio/core-bridge/releases', (name) => name !== coreBridgeTarget())
  // Headers and npm, from which `node/bin/node` was taken.
  if (existsSync(join(packages, 'node/bin/node'))) remove('node/node_modules')
  // The package of the platform is tried first.
  if (names('@llamaindex').some((name) => name.startsWith('liteparse-'))) {
    removeIn('@llamaindex/liteparse', (name) => /\.(node|so|dylib|dll)$/.test(name))
  }
  // The builds in one file are for browsers. The others all stay: tesseract.js 7.0.0 loads the one for both engines on Node,
  // also where the newer engine is all that is asked for (November 2026).
  removeIn('tesseract.js-core', (name) => name.endsWith('.wasm.js'))
}

function pruneForProduction() {
  // The API document generator of Elysia asks for it where types are its source, which they are not here.
  remove('typescript')
  for (const name of ['tsc', 'tsserver']) remove(`.bin/${name}`)
  // `media/pdf-engines.ts` takes text from PDFs with pdf.js, and draws with another program.
  for (const name of names('@napi-rs').filter((each) => each.startsWith('canvas'))) remove(`@napi-rs/${name}`)
  remove('pdfjs-dist/build')
  removeIn('pdfjs-dist/legacy/build', (name) => name.includes('.sandbox.') || name.includes('.min.'))
  remove('pdf-parse/dist/pdf-parse/web')
  // We import it, which takes the other half.
  remove('mathjs/lib/cjs')
  remove('@mixmark-io/domino/test')
  // The sources of the native part.
  remove('@temporalio/core-bridge/sdk-core')
  removeFiles(packages)
}

/** npm marks in its list of what it has installed what is there for development only. */
function isProduction() {
  const { packages: installed } = JSON.parse(readFileSync(join(packages, '.package-lock.json'), 'utf8'))
  return !Object.values(installed).some(({ dev }) => dev)
}

function removeFiles(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) removeFiles(path)
    else if (entry.isFile() && NOT_RUN.test(entry.name)) rmSync(path)
  }
}

function removeIn(folder, isUseless) {
  for (const name of names(folder).filter(isUseless)) remove(`${folder}/${name}`)
}

function remove(path) {
  rmSync(join(packages, path), { recursive: true, force: true })
}

function names(folder) {
  const path = join(packages, folder)
  return existsSync(path) ? readdirSync(path) : []
}

/** As `common.js` of the package has it. */
function coreBridgeTarget() {
  const arch = { x64: 'x86_64', arm64: 'aarch64' }[process.arch]
  const system = { linux: 'unknown-linux-gnu', darwin: 'apple-darwin', win32: 'pc-windows-msvc' }[process.platform]
  return `${arch}-${system}`
}
