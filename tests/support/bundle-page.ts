// A program for a browser, made into one script.
import { join } from 'node:path'
import { build, type InlineConfig } from 'vite'
import { ROOT } from './children.ts'

/** The packages of the client, as their sources. */
const CLIENT: Record<string, string> = {
  '@muxi/client': join(ROOT, 'client/index.ts'),
  '@muxi/client/use-chat': join(ROOT, 'client/chat-transport.ts'),
}

/**
 * Bundles a program that stands in no file; it may import the packages of the client.
 * @param entry where it would stand
 * @param files the texts of such files: of the entry, and of what it imports as `./name`
 */
export async function bundlePage(
  entry: string,
  files: Record<string, string>,
  more: InlineConfig = {},
): Promise<string> {
  const beside = (id: string) => join(entry, '..', `${id}.ts`)
  const built = await build({
    ...more,
    configFile: false,
    root: ROOT,
    logLevel: 'error',
    plugins: [
      {
        name: 'program',
        enforce: 'pre',
        resolveId: (id) => CLIENT[id] ?? [id, beside(id)].find((path) => path in files),
        load: (id) => files[id],
      },
    ],
    build: {
      write: false,
      minify: false,
      rollupOptions: { input: entry, output: { format: 'es', codeSplitting: false } },
    },
  })
  const output = [built].flat().flatMap((each) => ('output' in each ? each.output : []))
  const code = output.find(({ type }) => type === 'chunk')
  if (code?.type !== 'chunk') throw new Error(`Cannot bundle '${entry}': there is no output`)
  return code.code
}
