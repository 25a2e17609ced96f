// A script: an MCP server over stdio with one fault, and tools whose effect can be counted. Written without the SDK, which would hide the faults.
// Arguments: the fault; a file to which each call appends its label; beside it, `.starts` gets a line with each start, and a call
// that is held is answered once there is `.released`.
import { execFileSync, spawn } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseExact } from '../../contracts/exact-json.ts'

const [fault = 'none', countFile = ''] = process.argv.slice(2)
const TOOLS = 500
if (countFile !== '') appendFileSync(`${countFile}.starts`, `${process.pid}\n`)
// Once there is a file beside the other, the next start takes as many milliseconds as it says.
const slow = existsSync(`${countFile}.slow`)
  ? Number(readFileSync(`${countFile}.slow`, 'utf8'))
  : fault === 'slow-start'
    ? 3_000
    : 0
const label = {
  type: 'object',
  properties: { label: { type: 'string' }, ms: { type: 'integer' }, held: { type: 'boolean' } },
  required: ['label'],
}

const tools = [
  { name: 'count', description: `Counts. ${existsSync(`${countFile}.drift`) ? 'And more.' : ''}`, inputSchema: label },
  { name: 'count_again', description: 'Counts.', inputSchema: label, annotations: { idempotentHint: true } },
  { name: 'exit', description: 'Ends the server.', inputSchema: label },
  { name: 'big', description: 'Answers much.', inputSchema: { type: 'object' } },
  { name: 'never', description: 'Answers nothing.', inputSchema: { type: 'object' } },
  { name: 'slowly', description: 'Reports its progress.', inputSchema: { type: 'object' } },
  { name: 'environment', description: 'Tells its environment.', inputSchema: { type: 'object' } },
  {
    name: 'children',
    description: 'Starts children that stay: one in its group, one in a group of its own, and a daemon.',
    inputSchema: { type: 'object' },
  },
  { name: 'repeat', description: 'Answers its arguments, digit for digit.', inputSchema: { type: 'object' } },
  { name: 'changed', description: 'Changes the description of a tool.', inputSchema: { type: 'object' } },
]
const many = Array.from({ length: TOOLS }, (_, index) => ({
  name: `tool_${index}`,
  description: 'One of many.',
  inputSchema: { type: 'object' },
}))

type Meta = { progressToken?: unknown } | undefined
type Message = { id?: number; method?: string; params?: Record<string, unknown> }

function send(message: object): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
}

function tell(id: number | undefined, text: string): void {
  send({ id, result: { content: [{ type: 'text', text }] } })
}

function answer({ id, method, params = {} }: Message): void {
  switch (method ?? '') {
    case 'initialize':
      setTimeout(
        () =>
          send({
            id,
            result: {
              protocolVersion: params['protocolVersion'],
              capabilities: { tools: { listChanged: true } },
              serverInfo: { name: 'faulty', version: '1' },
            },
          }),
        slow,
      )
      return
    case 'ping':
      return send({ id, result: {} })
    case 'tools/list': {
      if (fault === 'odd-tools')
        return send({
          id,
          result: { tools: [{ name: 'odd', inputSchema: null }, { name: 7 }, tools[0]], nextCursor: null },
        })
      if (fault === 'endless-pages')
        return send({ id, result: { tools: [], nextCursor: `${Number(params['cursor'] ?? 0) + 1}` } })
      if (fault === 'same-page') return send({ id, result: { tools: tools.slice(0, 1), nextCursor: 'again' } })
      if (fault !== 'many-tools') return send({ id, result: { tools } })
      const from = Number(params['cursor'] ?? 0)
      const next = from + 100
      return send({ id, result: { tools: many.slice(from, next), ...(next < TOOLS && { nextCursor: String(next) }) } })
    }
    case 'notifications/cancelled':
      appendFileSync(countFile, `cancelled\n`)
      return
    case 'tools/call':
      return call(
        id,
        String(params['name']),
        (params['arguments'] ?? {}) as Record<string, unknown>,
        params['_meta'] as Meta,
      )
  }
}

function answerWhen(isReleased: () => boolean, tellIt: () => void): void {
  if (isReleased()) return tellIt()
  setTimeout(() => answerWhen(isReleased, tellIt), 20)
}

function call(id: number | undefined, name: string, given: Record<string, unknown>, meta: Meta): void {
  switch (name) {
    case 'count':
    case 'count_again':
      appendFileSync(countFile, `${String(given['label'])}\n`)
      return answerWhen(
        () => given['held'] !== true || existsSync(`${countFile}.released`),
        () => setTimeout(() => tell(id, `counted ${String(given['label'])}`), Number(given['ms'] ?? 0)),
      )
    case 'exit':
      appendFileSync(countFile, `${String(given['label'])}\n`)
      process.stderr.write('told to end\n')
      process.exit(3)
    case 'big':
      return tell(id, 'x'.repeat(50 * 2 ** 20))
    case 'never':
      return
    case 'slowly': {
      const steps = Number(given['steps'] ?? 4)
      let progress = 0
      const timer = setInterval(() => {
        progress += 1
        send({
          method: 'notifications/progress',
          params: { progressToken: meta?.progressToken, progress, total: steps, message: `step ${progress}` },
        })
        if (progress < steps) return
        clearInterval(timer)
        setTimeout(() => tell(id, 'slowly done'), 100)
      }, 300)
      return
    }
    case 'environment':
      return tell(id, JSON.stringify(process.env))
    case 'children': {
      const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
      const ofOwnGroup = spawn('sleep', ['1000'], { stdio: 'ignore', detached: true })
      // Its parent ends, as that of a daemon does.
      const daemon = execFileSync('/bin/sh', ['-c', 'setsid sleep 1000 >/dev/null 2>&1 & echo $!'], {
        encoding: 'utf8',
      })
      for (const each of [child, ofOwnGroup]) each.unref()
      return tell(id, `${child.pid} ${ofOwnGroup.pid} ${daemon.trim()}`)
    }
    case 'repeat':
      return send({ id, result: { content: [], structuredContent: given } })
    case 'changed':
      tools[0]!.description = 'Counts, and does something else, too.'
      send({ method: 'notifications/tools/list_changed' })
      return tell(id, 'changed')
  }
}

if (fault === 'exits' || existsSync(`${countFile}.broken`)) {
  process.stderr.write('cannot read my configuration\n')
  process.exit(2)
}
if (fault === 'garbage') setInterval(() => process.stdout.write('this is no message\n'), 1)
if (fault === 'endless-garbage') setInterval(() => process.stdout.write('this is no message\n'.repeat(100)), 1)
if (fault === 'endless-line') setInterval(() => process.stdout.write('x'.repeat(65_536)), 1)
if (fault === 'flood') {
  const flood = (): void => void process.stderr.write('e'.repeat(65_536), () => setImmediate(flood))
  flood()
}
if (fault === 'stubborn') for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, () => {})
if (fault === 'stubborn') setInterval(() => {}, 1_000)
if (fault !== 'silent')
  createInterface({ input: process.stdin }).on('line', (line) => answer(parseExact(line) as Message))
else process.stdin.resume()
