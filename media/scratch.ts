// Folders for the work on one file: made when it begins, removed when it ends, and those of killed processes by the next one.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'muxi-media-'
let swept: Promise<void> | undefined

/** Makes a folder, which the caller removes. */
export async function makeScratch(): Promise<string> {
  swept ??= sweep()
  await swept
  return mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`))
}

export async function removeScratch(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 })
}

/** Does work in a folder that is removed when it ends, however it ends. */
export async function inScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await makeScratch()
  try {
    return await work(folder)
  } finally {
    await removeScratch(folder)
  }
}

/** Removes what processes have left that live no more. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir()).catch(() => [])) {
    const pid = Number(/^muxi-media-(\d+)-/.exec(name)?.[1])
    if (pid && !isAlive(pid)) await removeScratch(join(tmpdir(), name)).catch(() => undefined)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
