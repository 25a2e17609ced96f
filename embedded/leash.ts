// Kills the Temporal server of a data folder when this process dies in any way, so that it never outlives the program.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'

/**
 * A shell that reads from a pipe which only this process holds: when this process dies, the pipe ends. The server is found by its
 * command line, as `temporal-config/server-processes.ts` does: it may have been started again meanwhile. Killed, not stopped: the
 * next start must find none, and its database is as safe as after any other crash.
 */
const LEASH = `read -r _
if [ -d /proc/self ]; then
  for file in /proc/[0-9]*/cmdline; do
    case "$(tr '\\0' ' ' 2>/dev/null <"$file")" in
      *" server start-dev --db-filename $1 "*) pid=\${file#/proc/}; kill -9 "\${pid%/cmdline}";;
    esac
  done
else
  ps -ww -A -o pid= -o args= | while read -r pid line; do
    case "$line" in *" server start-dev --db-filename $1 "*) kill -9 "$pid";; esac
  done
fi`

/** @param dbFile the database file of the server @returns a function that ends the watching without killing anything */
export function leash(dbFile: string): () => Promise<void> {
  // A process group of its own: Ctrl-C ends this process first.
  const shell = spawn('/bin/sh', ['-c', LEASH, 'sh', dbFile], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  const ended = once(shell, 'exit').catch(() => [])
  shell.stdin.on('error', () => {})
  shell.unref()
  if (shell.stdin instanceof Socket) shell.stdin.unref()
  return async () => {
    shell.ref()
    shell.kill('SIGKILL')
    await ended
  }
}
