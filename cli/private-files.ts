// The data folder belongs to its owner alone: what is made from now on, and what was made before.
import { chmodSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const GROUP_AND_OTHERS = 0o077
/** Folders below the data folder: how many levels of them are looked at. Files of users are not counted one by one: their folders are closed. */
const LEVELS: Record<string, number> = { bin: 1, blobs: 1, cache: 3, locks: 1, temporal: 1 }

/** Files and folders made by this process and those it starts are readable by their owner only. */
export function makeFilesPrivate(): void {
  process.umask(GROUP_AND_OTHERS)
}

/** Takes the rights of others from what is there. Only what is ours by name: the folder may be shared with other programs. @returns what could not be changed */
export function closeDataFolder(dataDir: string): string[] {
  const failed = new Set<string>()
  close(dataDir, failed)
  for (const name of namesIn(dataDir)) {
    if (name in LEVELS) closeAll(join(dataDir, name), LEVELS[name]!, failed)
    else if (isOurFile(name)) close(join(dataDir, name), failed)
  }
  return [...failed]
}

function isOurFile(name: string): boolean {
  return name === 'secret.key' || /^muxi\.db(-wal|-shm|-journal)?$/.test(name)
}

function closeAll(path: string, levels: number, failed: Set<string>): void {
  close(path, failed)
  if (levels === 0) return
  for (const name of namesIn(path)) closeAll(join(path, name), levels - 1, failed)
}

/** Links are left alone: what they lead to may be elsewhere. */
function close(path: string, failed: Set<string>): void {
  try {
    const found = lstatSync(path)
    const isOurs = found.isDirectory() || found.isFile()
    if (isOurs && (found.mode & GROUP_AND_OTHERS) !== 0) chmodSync(path, found.mode & 0o7700)
  } catch (error) {
    // It went away in between, or belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') failed.add(path)
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
