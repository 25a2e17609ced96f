import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findServerBinary, getServerBinaryOrThrow, TEMPORAL_VERSION } from '../../temporal-config/server-binary.ts'
import { tempDir } from '../support/temp-dir.ts'

function program(folder: string, name: string, script: string): string {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, name)
  writeFileSync(file, `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o755)
  return file
}

function place() {
  const dir = tempDir()
  const env = { PATH: join(dir, 'path'), XDG_CACHE_HOME: join(dir, 'cache') }
  return { dir, env, dataDir: join(dir, 'data'), cached: join(dir, 'cache', 'muxi', `temporal-${TEMPORAL_VERSION}`) }
}

/** The download, refused. */
const refused = () => ['/bin/false', []] as [string, string[]]

it('takes the program on the PATH before all others', async () => {
  const { env, dataDir } = place()
  const file = program(env.PATH, 'temporal', 'exit 0')
  program(join(dataDir, 'bin'), `temporal-${TEMPORAL_VERSION}`, 'exit 0')
  expect(await findServerBinary({ env, dataDir })).toBe(file)
})

it('passes over a program that does not answer --version', async () => {
  const { env, dataDir } = place()
  program(env.PATH, 'temporal', 'exit 1')
  const file = program(join(dataDir, 'bin'), `temporal-${TEMPORAL_VERSION}`, 'exit 0')
  expect(await findServerBinary({ env, dataDir })).toBe(file)
})

it('builds with Go when the download is refused, keeps the result and does not build again', async () => {
  const { env, dataDir, cached } = place()
  program(env.PATH, 'go', `printf '#!/bin/sh\\nexit 0\\n' > "$GOBIN/temporal" && /bin/chmod +x "$GOBIN/temporal"`)
  const lines: string[] = []
  const options = { env, dataDir, say: (line: string) => lines.push(line), scriptCommand: refused }
  expect(await getServerBinaryOrThrow(options)).toBe(cached)
  expect(lines.join('\n')).toContain('building the Temporal server with Go')
  lines.length = 0
  expect(await getServerBinaryOrThrow(options)).toBe(cached)
  expect(lines).toEqual([])
  expect(readdirSync(join(cached, '..'))).toEqual([`temporal-${TEMPORAL_VERSION}`])
})

it('takes what the download made, without Go', async () => {
  const { dir, env, dataDir, cached } = place()
  const download = program(
    dir,
    'download',
    `printf '#!/bin/sh\\nexit 0\\n' > "$2/it" && chmod +x "$2/it" && echo "$2/it"`,
  )
  const scriptCommand = (...args: string[]): [string, string[]] => [download, args]
  expect(await getServerBinaryOrThrow({ env, dataDir, say: () => {}, scriptCommand })).toBe(cached)
})

it('says in one line what to do when the download is refused and there is no Go', async () => {
  const { env, dataDir } = place()
  const error = await getServerBinaryOrThrow({ env, dataDir, say: () => {}, scriptCommand: refused }).catch(
    (e: Error) => e,
  )
  expect(String(error)).toMatch(/Install Go, or put 'temporal' .* on the PATH, or set TEMPORAL_ADDRESS/)
  expect(String(error).split('\n')).toHaveLength(1)
})
