// Resident memory of a child process.
import { readFile } from 'node:fs/promises'

/** In MB; undefined when the process has exited or the platform has no /proc. */
export async function residentMb(pid: number): Promise<number | undefined> {
  try {
    // `status` instead of `statm`: it is in kB, independent of the page size.
    const kb = /^VmRSS:\s*(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))
    return kb ? Number(kb[1]) / 1_024 : undefined
  } catch {
    return undefined
  }
}
