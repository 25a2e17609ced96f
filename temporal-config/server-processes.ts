// Finds running Temporal servers by their command line: a pid in a file may have been reused.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { portsOf } from './server-arguments.ts'

export interface ServerProcess {
  pid: number
  commandLine: string
}

/** The Temporal servers that have this database file open; more than one only after a fault. */
export function findServers(dbFile: string): ServerProcess[] {
  return runningProcesses().filter(({ commandLine }) => isServerOf(commandLine, dbFile))
}

/** The Temporal servers that were told to listen on this port: one that does, and those that are about to exit. */
export function findServersOn(port: number): ServerProcess[] {
  return runningProcesses().filter(
    ({ commandLine }) => commandLine.includes(' server start-dev ') && portsOf(commandLine)?.port === port,
  )
}

/** Whether the process with this pid is currently a Temporal server on this database file. */
export function isServerAlive(pid: number, dbFile: string): boolean {
  const commandLine = process.platform === 'linux' ? commandLineOf(pid) : ps(['-p', String(pid)])[0]?.commandLine
  return commandLine !== undefined && isServerOf(commandLine, dbFile)
}

function isServerOf(commandLine: string, dbFile: string): boolean {
  return commandLine.includes(` server start-dev --db-filename ${dbFile} `)
}

function runningProcesses(): ServerProcess[] {
  if (process.platform !== 'linux') return ps(['-A'])
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
  return pids.flatMap((pid) => {
    const commandLine = commandLineOf(pid)
    return commandLine === undefined ? [] : [{ pid, commandLine }]
  })
}

/** Empty for a zombie process. */
function commandLineOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return undefined // it exited, or belongs to another user
  }
}

function ps(selection: string[]): ServerProcess[] {
  try {
    const lines = execFileSync('ps', ['-ww', ...selection, '-o', 'pid=,args='], { encoding: 'utf8' }).split('\n')
    return lines.flatMap((line) => {
      const [, pid, commandLine] = /^\s*(\d+) (.*)$/.exec(line) ?? []
      return pid && commandLine ? [{ pid: Number(pid), commandLine }] : []
    })
  } catch {
    return [] // `ps -p` exits with 1 when there is no such process
  }
}
