// The stdio transport: an MCP server as a child process in its own process group, which never outlives its parent.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { serializeMessage } from '@modelcontextprotocol/sdk/shared/stdio.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { McpFailure } from './failure.ts'
import { readMessages } from './read-message.ts'
import { Lines, type LongLine } from './lines.ts'
import { Tail } from './tail.ts'

/**
 * The group leader execs the server. Before that it starts, in the same group, a shell that reads from a pipe
 * which only the parent holds: when the parent closes it, or dies in any way, the pipe ends and every process of the server
 * is killed: those that
 * carry its marker in their environment, also in other groups (where /proc exists), then the group including the shell
 * itself. Until then the shell also keeps the group id from being reused.
 */
const LAUNCH = `mark=MUXI_MCP_PROCESS=$1; shift
(trap '' TERM INT HUP; read -r _ <&3
  rounds=50
  while [ $rounds -gt 0 ]; do
    found=$(grep -lsF "$mark" /proc/[0-9]*/environ)
    [ -n "$found" ] || break
    for each in $found; do each=\${each#/proc/}; kill -9 "\${each%/environ}"; done
    rounds=$((rounds - 1))
  done
  kill -9 "-$$") </dev/null >/dev/null 2>&1 &
exec 3<&-; export "$mark"; exec "$@"`
/** Inherited variables that every program needs; all others are passed explicitly. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'TERM', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR']
/** Grace period after closing the server's input, and again after SIGTERM, in milliseconds. */
const GRACE_MS = 1_500
/** Lines that are not messages, after which the connection fails. */
const MAX_GARBAGE = 10_000
const NO_SUCH_PROGRAM = 127
/** Time for the shell to kill the rest, in milliseconds; then the parent kills the group. */
const KILL_MS = 3_000

export interface ChildOptions {
  command: string
  args: readonly string[]
  /** In addition to the inherited variables. */
  env: Readonly<Record<string, string>>
  max_message_bytes: number
}

export class ChildTransport implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: (message: JSONRPCMessage) => void
  /** The last output on standard error, and on standard output outside of messages. */
  readonly stderr = new Tail()
  readonly #options: ChildOptions
  #child: ChildProcess | undefined
  readonly #ended = Promise.withResolvers<void>()
  readonly #gone = Promise.withResolvers<void>()
  #isLetGo = false
  #garbage = 0
  /** The reason of the end, when the server caused it. */
  fault: string | undefined

  constructor(options: ChildOptions) {
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  async start(): Promise<void> {
    const { command, args, env, max_message_bytes } = this.#options
    const child = spawn('/bin/sh', ['-c', LAUNCH, 'sh', randomUUID(), command, ...args], {
      env: { ...inherited(), ...env },
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
    })
    this.#child = child
    for (const stream of child.stdio) stream?.on('error', () => {}) // its exit is handled below
    child.on('error', (error) => this.#end(`it cannot be started: ${error.message}`))
    child.on('exit', (code, signal) =>
      this.#end(
        code === NO_SUCH_PROGRAM
          ? `there is no program '${command}'`
          : `it ended (${signal ?? `exit code ${code}`})${this.stderr.last === '' ? '' : `: ${this.stderr.last}`}`,
      ),
    )
    child.stderr!.on('data', (chunk: Buffer) => this.stderr.add(chunk))
    const lines = new Lines(max_message_bytes)
    child.stdout!.on('data', (chunk: Buffer) => {
      for (const line of lines.push(chunk)) this.#read(line)
    })
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const stdin = this.#child?.stdin
    if (!stdin?.writable) throw new McpFailure('unsent', 'the server is not running')
    if (stdin.writableLength > this.#options.max_message_bytes)
      throw new McpFailure('unsent', 'the server does not read what it is sent')
    stdin.write(serializeMessage(message))
  }

  /** Closes its input, then SIGTERM, then SIGKILL; resolves when none of its processes is left. */
  async close(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) this.#end(undefined)
    else {
      child.stdin?.end()
      if (!(await isWithin(GRACE_MS, this.#ended.promise))) {
        this.#signalGroup('SIGTERM')
        if (!(await isWithin(GRACE_MS, this.#ended.promise))) this.#letGo()
      }
      await this.#ended.promise
    }
    await this.#gone.promise
  }

  #read(line: string | LongLine): void {
    if (typeof line !== 'string') {
      const id = idOf(line)
      const message = `the server sent more than ${this.#options.max_message_bytes} bytes at once`
      if (id === undefined) this.#giveUp(message)
      else this.onmessage?.({ jsonrpc: '2.0', id, error: { code: -32_000, message } })
      return
    }
    if (line.trim() === '') return
    let messages: JSONRPCMessage[]
    try {
      messages = readMessages(line)
    } catch {
      this.stderr.add(Buffer.from(`not a message: ${line.slice(0, 200)}\n`))
      this.#garbage += 1
      if (this.#garbage === MAX_GARBAGE) this.#giveUp('it writes to standard output what is no message')
      return
    }
    for (const message of messages) this.onmessage?.(message)
  }

  #giveUp(why: string): void {
    this.fault ??= why
    this.#letGo()
  }

  #end(why: string | undefined): void {
    this.fault ??= why
    this.#letGo()
    this.#child?.stdout?.destroy()
    this.#child?.stderr?.destroy()
    this.#ended.resolve()
    const { onclose } = this
    delete this.onclose
    onclose?.()
  }

  /** Makes the shell kill all processes, and waits for it. */
  #letGo(): void {
    const pipe = this.#child?.stdio[3] as Socket | null | undefined
    if (this.#isLetGo) return
    this.#isLetGo = true
    if (!pipe) return this.#gone.resolve()
    const closed = new Promise((resolve) => pipe.once('close', resolve))
    pipe.resume().end()
    void isWithin(KILL_MS, closed).then(() => {
      this.#signalGroup('SIGKILL')
      pipe.destroy()
      this.#gone.resolve()
    })
  }

  #signalGroup(name: NodeJS.Signals): void {
    if (this.#child?.pid === undefined) return
    try {
      process.kill(-this.#child.pid, name)
    } catch {
      // no process is left
    }
  }
}

async function isWithin(ms: number, event: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController()
  const late = delay(ms, 'late', { signal: timer.signal }).catch(() => '')
  const first = await Promise.race([event, late])
  timer.abort()
  return first !== 'late'
}

function inherited(): Record<string, string> {
  const names = Object.keys(process.env).filter((name) => INHERITED.includes(name) || name.startsWith('LC_'))
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? '']))
}

/** The request id of a response that was too long to read: implementations write the id first or last. */
function idOf({ head, tail }: LongLine): number | string | undefined {
  const found =
    /"id"\s*:\s*(\d+|"[^"\\]*")\s*\}\s*$/.exec(tail) ??
    /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d+|"[^"\\]*")/.exec(head)
  return found ? (JSON.parse(found[1]!) as number | string) : undefined
}
