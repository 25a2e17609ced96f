// Removes from node_modules what muxi never loads: npm runs it after every install (`postinstall`), and it may run again.
// Files that only development needs (types, source maps, the compiler) are removed from production installations only.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const packages = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules')
/** Documentation, types and source maps: neither Node nor Deno runs TypeScript of packages. Licences stay. */
const NOT_RUN = /\.(map|[cm]?tsx?)$|^(readme|changelog|history)(\.[a-z.-]+)?$/i

if (existsSync(join(packages, '.package-lock.json'))) {
  pruneAlways()
  if (isProduction()) pruneForProduction()
}

function pruneAlways() {
  // Temporal's native modules, of which this machine loads one.
  removeIn('@temporalio/core-bridge/releases', (name) => name !== coreBridgeTarget())
  // Headers and npm, from which `node/bin/node` was taken.
  if (existsSync(join(packages, 'node/bin/node'))) remove('node/node_modules')
  // The platform's package is loaded first.
  if (names('@llamaindex').some((name) => name.startsWith('liteparse-'))) {
    removeIn('@llamaindex/liteparse', (name) => /\.(node|so|dylib|dll)$/.test(name))
  }
  // Installed by choice, with native modules for every platform.
  for (const version of names('onnxruntime-node/bin')) {
    const platforms = `onnxruntime-node/bin/${version}`
    removeIn(platforms, (name) => name !== process.platform)
    removeIn(`${platforms}/${process.platform}`, (name) => name !== process.arch)
  }
  // Only for stores of @tus/server that are not used.
  for (const name of ['ioredis', '@ioredis', '@redis', 'redis-parser', 'redis-errors']) remove(name)
  // The builds in one file are for browsers. The others all stay: tesseract.js 7.0.0 loads the one for both engines on Node,
  // even if only the newer engine is requested (November 2026).
  removeIn('tesseract.js-core', (name) => name.endsWith('.wasm.js'))
}

function pruneForProduction() {
  // Elysia's OpenAPI generator loads it only to read types, which is not used here.
  remove('typescript')
  for (const name of ['tsc', 'tsserver']) remove(`.bin/${name}`)
  // `media/document/pdf-engines.ts` extracts text from PDFs with pdf.js, and renders with another program.
  for (const name of names('@napi-rs').filter((each) => each.startsWith('canvas'))) remove(`@napi-rs/${name}`)
  remove('pdfjs-dist/build')
  removeIn('pdfjs-dist/legacy/build', (name) => name.includes('.sandbox.') || name.includes('.min.'))
  // Imports use the ESM build, not this one.
  remove('mathjs/lib/cjs')
  remove('@mixmark-io/domino/test')
  // Only the build for browsers is imported (`providers/gemini.ts`): it needs no sign-in of Google's.
  for (const build of ['node', 'tokenizer', 'vertex_internal', 'genai.d.ts', 'index.cjs', 'index.mjs']) {
    remove(`@google/genai/dist/${build}`)
  }
  // The sources of the native module.
  remove('@temporalio/core-bridge/sdk-core')
  removeFiles(packages)
}

/** npm's list of installed packages marks those for development only. */
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

/** Same rule as in the package's `common.js`. */
function coreBridgeTarget() {
  const arch = { x64: 'x86_64', arm64: 'aarch64' }[process.arch]
  const system = { linux: 'unknown-linux-gnu', darwin: 'apple-darwin', win32: 'pc-windows-msvc' }[process.platform]
  return `${arch}-${system}`
}
