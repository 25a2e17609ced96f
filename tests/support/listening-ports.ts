// The TCP ports of IPv4 that a process listens on; Linux only, as the tests that need it.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

const LISTEN = '0A'

export function listeningPorts(pid: number): number[] {
  const inodes = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => socketOf(`/proc/${pid}/fd/${fd}`)))
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1)
  return rows.flatMap((row) => {
    const [, local = '', , state, , , , , , inode] = row.trim().split(/\s+/)
    return state === LISTEN && inodes.has(inode) ? [parseInt(local.split(':')[1]!, 16)] : []
  })
}

function socketOf(link: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1]
  } catch {
    return undefined // it was closed in between
  }
}
