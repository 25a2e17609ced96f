import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { takeDataLock, takeDataLockOrThrow } from '../../cli/data-lock.ts'
import { runScript } from '../support/script.ts'
import { tempDir } from '../support/temp-dir.ts'

async function holder(dir: string, duty: string) {
  const script = runScript('tests/support/hold-lock.ts', {}, [dir, duty])
  onTestFinished(() => void script.child.kill('SIGKILL'))
  await script.says(/locked/)
  return script
}

it('refuses a second holder in one line that names the pid of the first', async () => {
  const dir = tempDir()
  const { pid } = await holder(dir, 'api')
  expect(() => takeDataLockOrThrow(dir, 'api')).toThrow(
    new RegExp(`data folder '${dir}' must not be in use, got process ${pid} using it`),
  )
})

it('lets another process have the other duty on the same folder', async () => {
  const dir = tempDir()
  await holder(dir, 'api')
  takeDataLockOrThrow(dir, 'temporal').release()
})

it('is free at once after kill -9 of its holder', async () => {
  const dir = tempDir()
  const { child, ended } = await holder(dir, 'api')
  child.kill('SIGKILL')
  await ended
  takeDataLockOrThrow(dir, 'api').release()
})

it('does not mistake a living process with the pid of a dead holder for the holder', async () => {
  const dir = tempDir()
  const { child, ended } = await holder(dir, 'api')
  child.kill('SIGKILL')
  await ended
  writeFileSync(join(dir, 'locks', 'api.pid'), `${process.ppid}\n`)
  takeDataLockOrThrow(dir, 'api').release()
})

it('can be taken again after it was released', () => {
  const dir = tempDir()
  takeDataLockOrThrow(dir, 'temporal').release()
  expect(takeDataLock(dir, 'temporal')).toHaveProperty('release')
})
