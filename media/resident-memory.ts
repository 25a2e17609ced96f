// How much memory another process of ours has in use.
import { readFile } from 'node:fs/promises'

/** In MB; undefined when the process is gone or the platform has no /proc. */
export async function residentMb(pid: number): Promise<number | undefined> {
  try {
    // `status` and not `statm`: it says kB, whatever the size of a page is.
    const kb = /^VmRSS:\s*(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))
    return kb ? Number(kb[1]) / 1_024 : undefined
  } catch {
    return undefined
  }
}
