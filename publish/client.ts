// Writes what is published as @muxi/client, for every runtime that has `fetch`: `publish/client.ts [folder]`.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { build } from 'vite'
import { declarationsOf } from './declarations.ts'

const ROOT = join(import.meta.dirname, '..')
const SOURCES = join(ROOT, 'client')
/** Node 20, and browsers of 2022. */
const TARGET = 'es2022'

interface Manifest {
  [field: string]: unknown
  exports: Record<string, string>
}

/** Writes the package into an empty folder: what `npm publish` takes there. */
export async function buildClient(folder: string): Promise<void> {
  const manifest = JSON.parse(readFileSync(join(SOURCES, 'package.json'), 'utf8')) as Manifest
  const entries = Object.values(manifest.exports).map((entry) => basename(entry))
  rmSync(folder, { recursive: true, force: true })
  await build({
    configFile: false,
    root: SOURCES,
    logLevel: 'error',
    build: {
      outDir: folder,
      target: TARGET,
      // The application that uses it minifies it; stack traces stay readable.
      minify: false,
      lib: { entry: entries.map((entry) => join(SOURCES, entry)), formats: ['es'] },
      rolldownOptions: { external: /^node:/, output: { entryFileNames: '[name].js', chunkFileNames: '[name].js' } },
    },
  })
  for (const [name, text] of await declarationsOf(SOURCES, entries)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(published(manifest), undefined, 2)}\n`)
  writeFileSync(join(folder, 'README.md'), readFileSync(join(SOURCES, 'README.md')))
}

/** The manifest with files that every runtime loads, in place of the sources. */
function published({ private: _, devDependencies: __, exports, ...manifest }: Manifest): object {
  const entries = Object.entries(exports).map(([name, entry]) => {
    const built = entry.replace(/\.ts$/, '')
    return [name, { types: `${built}.d.ts`, default: `${built}.js` }] as const
  })
  return { ...manifest, exports: Object.fromEntries([...entries, ['./package.json', './package.json']]) }
}

if (import.meta.main) await buildClient(resolve(process.argv[2] ?? join(SOURCES, 'dist')))
