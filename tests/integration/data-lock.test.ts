import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { takeDataLock, takeDataLockOrThrow } from '../../cli/data-lock.ts'
import { startChild } from '../support/children.ts'
import { tempDir } from '../support/temp-dir.ts'

async function holder(dir: string, duty: string) {
  const child = startChild({ script: 'tests/support/hold-lock.ts', args: [dir, duty], cwd: dir })
  onTestFinished(() => child.kill())
  await child.says(/locked/)
  return child
}

it('refuses a second holder in one line that names the pid of the first', async () => {
  const dir = tempDir()
  const { pid } = await holder(dir, 'api')
  expect(() => takeDataLockOrThrow(dir, 'api')).toThrow(
    new RegExp(`data folder '${dir}' must not be in use, got process ${pid} using it`),
  )
})

it('lets another process take the other duty on the same folder', async () => {
  const dir = tempDir()
  await holder(dir, 'api')
  expect(() => takeDataLockOrThrow(dir, 'temporal').release()).not.toThrow()
})

it('is free at once after kill -9 of its holder', async () => {
  const dir = tempDir()
  const first = await holder(dir, 'api')
  await first.kill()
  expect(() => takeDataLockOrThrow(dir, 'api').release()).not.toThrow()
})

it('does not mistake a living process with the pid of a dead holder for the holder', async () => {
  const dir = tempDir()
  const first = await holder(dir, 'api')
  await first.kill()
  writeFileSync(join(dir, 'locks', 'api.pid'), `${process.ppid}\n`)
  expect(() => takeDataLockOrThrow(dir, 'api').release()).not.toThrow()
})

it('can be taken again after it was released', () => {
  const dir = tempDir()
  takeDataLockOrThrow(dir, 'temporal').release()
  expect(takeDataLock(dir, 'temporal')).toHaveProperty('release')
})
