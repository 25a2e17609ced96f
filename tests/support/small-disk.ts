// A disk of few bytes, for tests of what happens when it is full: a tmpfs, which only root may mount.
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export interface SmallDisk {
  folder: string
  /** Takes what room is left, the last bytes with the files given. */
  fill(...files: string[]): void
  free(): void
  unmount(): void
}

/** Undefined, with a line that says why, where mounting is not permitted. */
export function mountSmallDisk(folder: string, megabytes: number): SmallDisk | undefined {
  mkdirSync(folder, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'tmpfs', folder], { stdio: 'pipe' })
  } catch (error) {
    console.log(`skipped: a small disk (tmpfs) cannot be mounted here: ${(error as Error).message.trim()}`)
    return undefined
  }
  const filler = join(folder, 'filler')
  return {
    folder,
    fill(...files) {
      for (const path of [filler, ...files]) {
        const file = openSync(path, 'a')
        for (const size of [1_048_576, 4_096, 1]) fillBy(file, Buffer.alloc(size, '\n'))
        closeSync(file)
      }
    },
    free: () => rmSync(filler, { force: true }),
    unmount: () => void execFileSync('umount', ['-l', folder]),
  }
}

function fillBy(file: number, bytes: Uint8Array): void {
  try {
    for (;;) writeSync(file, bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

/** Whether a small disk can be had here, found out once before tests are collected. */
export function canMount(folder: string): boolean {
  const disk = mountSmallDisk(folder, 1)
  disk?.unmount()
  return disk !== undefined
}
