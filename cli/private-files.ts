// Makes the data folder accessible to its owner only: new files, and existing ones.
import { chmodSync, lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const GROUP_AND_OTHERS = 0o077
/** Folders below the data folder: number of levels that are checked. Files of users are not checked one by one: their folders are private. */
const LEVELS: Record<string, number> = { bin: 1, blobs: 1, cache: 3, locks: 1, temporal: 1 }

/** Sets the umask: files of this process and its children are readable by their owner only. */
export function makeFilesPrivate(): void {
  process.umask(GROUP_AND_OTHERS)
}

/**
 * Removes the permissions of others from existing files. Only muxi's names: the folder may be shared with other programs.
 * @returns the paths that could not be changed
 */
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

/** Symbolic links are skipped: their target may be outside. */
function close(path: string, failed: Set<string>): void {
  try {
    const found = lstatSync(path)
    const isOurs = found.isDirectory() || found.isFile()
    if (isOurs && (found.mode & GROUP_AND_OTHERS) !== 0) chmodSync(path, found.mode & 0o7700)
  } catch (error) {
    // It was removed in between, or belongs to another user.
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
