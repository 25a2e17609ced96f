// Permissions of the files in a data folder after a run of a real supervisor and Temporal server.
import { chmodSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { closeDataFolder } from '../../cli/private-files.ts'
import { openStage } from '../support/stage.ts'
import { freePort } from '../support/free-port.ts'
import { tempDir } from '../support/temp-dir.ts'

const modeOf = (path: string) => lstatSync(path).mode & 0o777

/** Files that other users may read or write, with their mode. */
function openTo(folder: string): string[] {
  return ['', ...(readdirSync(folder, { recursive: true }) as string[])].flatMap((name) => {
    const mode = modeOf(join(folder, name))
    return (mode & 0o077) === 0 ? [] : [`${name} ${mode.toString(8)}`]
  })
}

describe('closeDataFolder()', () => {
  it("removes the permissions of others from muxi's files, and ignores the rest", () => {
    const folder = tempDir()
    for (const name of ['temporal', 'locks', 'cache/workflows', 'blobs/ada', 'notes']) {
      mkdirSync(join(folder, name), { recursive: true })
    }
    const ours = ['muxi.db', 'muxi.db-wal', 'muxi.db-shm', 'secret.key', 'temporal/temporal.db', 'locks/api.pid']
    for (const name of [...ours, 'cache/workflows/a.js', 'notes/mine.txt']) {
      writeFileSync(join(folder, name), '')
      chmodSync(join(folder, name), 0o644)
    }
    const elsewhere = tempDir()
    chmodSync(elsewhere, 0o755)
    symlinkSync(elsewhere, join(folder, 'cache', 'link'))
    chmodSync(folder, 0o755)
    expect(closeDataFolder(folder)).toEqual([])
    for (const name of ours) expect(modeOf(join(folder, name)), name).toBe(0o600)
    for (const name of ['', 'temporal', 'locks', 'cache', 'cache/workflows', 'blobs', 'blobs/ada']) {
      expect(modeOf(join(folder, name)), name).toBe(0o700)
    }
    expect(modeOf(join(folder, 'notes/mine.txt'))).toBe(0o644)
    expect(modeOf(elsewhere)).toBe(0o755)
  })
})

it('muxi on a folder with open permissions leaves no open permissions in it', async () => {
  const stage = await openStage({ withoutTemporal: true })
  onTestFinished(() => stage.close())
  mkdirSync(stage.dataDir)
  writeFileSync(join(stage.dataDir, 'muxi.db'), '')
  for (const name of ['', 'muxi.db']) chmodSync(join(stage.dataDir, name), 0o755)
  const product = await stage.startProduct({ port: await freePort() })
  await stage.upload(product.url, 'a.txt', 'Some text.')
  await stage.call(product.url, '/api/v1/agents/offline/chat', { body: { content: 'What time is it?' } })
  expect(openTo(stage.dataDir)).toEqual([])
})
