// Temporary folders for one file: created at the start, removed at the end; those of killed processes are removed by the
// next process.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'muxi-media-'
let swept: Promise<void> | undefined

/** Creates a folder, which the caller removes. */
export async function makeScratch(): Promise<string> {
  swept ??= sweep()
  await swept
  return mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`))
}

export async function removeScratch(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 })
}

/** Runs `work` with a folder that is always removed afterwards. */
export async function inScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await makeScratch()
  try {
    return await work(folder)
  } finally {
    await removeScratch(folder)
  }
}

/** Removes folders of dead processes. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir()).catch(() => [])) {
    const pid = Number(/^muxi-media-(\d+)-/.exec(name)?.[1])
    if (pid && !isAlive(pid)) await removeScratch(join(tmpdir(), name)).catch(() => undefined)
  }
}

/** Also in `db/local-copies.ts`: `db` and `media` share only `contracts`, which knows no processes. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
