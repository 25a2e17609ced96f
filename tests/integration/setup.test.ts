// The set-up script of `npm start`, over an npm that only writes down how it was called.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from '../support/children.ts'
import { tempDir } from '../support/temp-dir.ts'

const LOCKED = {
  '': {},
  'node_modules/ours': { version: '1.0.0' },
  'node_modules/checker': { version: '2.0.0', dev: true },
  'node_modules/other-system': { version: '3.0.0', optional: true },
}

function place() {
  const root = tempDir()
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), text)
    chmodSync(join(root, file), 0o755)
  }
  const calls = join(root, 'calls')
  cpSync(join(ROOT, 'cli/setup.mjs'), join(root, 'cli/setup.mjs'))
  write('package-lock.json', JSON.stringify({ packages: LOCKED }))
  write('cli/deno/package-lock.json', JSON.stringify({ packages: {} }))
  write('bin/npm', `#!/bin/sh\necho "$(pwd -P) $*" >> '${calls}'\nexit "\${NPM_STATUS:-0}"\n`)
  const env = { PATH: `${join(root, 'bin')}:/usr/bin:/bin` }
  return {
    root,
    write,
    installed: (packages: object) => {
      write('node_modules/node/bin/node', '#!/bin/sh\n')
      write('node_modules/.package-lock.json', JSON.stringify({ packages }))
    },
    setup: (args: string[] = [], more = {}) =>
      spawnSync(process.execPath, [join(root, 'cli/setup.mjs'), ...args], {
        encoding: 'utf8',
        env: { ...env, ...more },
      }),
    calls: () => (existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : []),
  }
}

it('installs the packages of production where nothing is, and ends', () => {
  const { setup, calls, root } = place()
  expect(setup()).toMatchObject({ status: 0, stderr: '' })
  expect(calls()).toEqual([expect.stringMatching(`^${root} ci --omit=dev `)])
})

it('installs nothing where the locked versions are', () => {
  const { setup, calls, installed } = place()
  installed({ 'node_modules/ours': { version: '1.0.0' } })
  expect(setup()).toMatchObject({ status: 0, stdout: '' })
  expect(calls()).toEqual([])
})

it('installs again when another version is locked', () => {
  const { setup, calls, installed } = place()
  installed({ 'node_modules/ours': { version: '0.9.0' } })
  setup()
  expect(calls()).toHaveLength(1)
})

it('installs packages for development when they are wanted and missing', () => {
  const { setup, calls, installed, root } = place()
  installed({ 'node_modules/ours': { version: '1.0.0' } })
  setup(['development'])
  expect(calls()).toEqual([expect.stringMatching(`^${root} ci --include=dev `)])
})

it('installs Deno, in a folder of its own, only when it is wanted', () => {
  const { setup, calls, installed, root } = place()
  installed({ 'node_modules/ours': { version: '1.0.0' } })
  setup(['deno'])
  expect(calls()).toEqual([expect.stringMatching(`^${root}/cli/deno ci `)])
})

it('says that npm failed, and fails', () => {
  const { setup } = place()
  expect(setup([], { NPM_STATUS: '3' })).toMatchObject({
    status: 1,
    stderr: 'muxi: cannot install the dependencies: npm ci ended with 3\n',
  })
})

it('refuses anything else', () => {
  const { setup, calls } = place()
  const { status, stderr } = setup(['node', 'cli/main.ts'])
  expect(status).toBe(1)
  expect(stderr).toContain("Cannot set up 'node': it must be deno or development")
  expect(calls()).toEqual([])
})
