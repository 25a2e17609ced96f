// Many readers of the same turns, half of them over SSE and half over WebSocket, in a process of their own.
// node tests/support/stream-readers.ts <url> <key> <readers of each kind> <turn ids…>
import { request } from 'node:http'
import { createParser } from 'eventsource-parser'
import { WebSocket } from 'ws'

const [url = '', key = '', readers = '0', ...turns] = process.argv.slice(2)
const authorization = `Bearer ${key}`
/** When each event was seen first, by turn and number; and how much later by each other reader. */
const first = new Map<string, number>()
const delays: number[] = []
const texts: Record<string, number> = {}
let open = 0
const allOpen = Promise.withResolvers<void>()

function seen(turn: string, id: number): void {
  const name = `${turn}/${id}`
  const known = first.get(name)
  const now = performance.now()
  if (known === undefined) first.set(name, now)
  else delays.push(now - known)
}

function opened(): void {
  open += 1
  if (open === Number(readers) * 2) allOpen.resolve()
}

function readSse(turn: string): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const parser = createParser({
      onEvent: ({ id, event, data }) => {
        if (event === 'accepted') opened()
        if (event !== 'content') return
        seen(turn, Number(id))
        text += (JSON.parse(data) as { content: string }).content
      },
    })
    request(`${url}/api/v1/turns/${turn}/stream`, { headers: { authorization }, agent: false })
      .on('response', (response) => {
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => parser.feed(chunk))
        response.on('close', () => resolve(text))
      })
      .on('error', () => resolve(text))
      .end()
  })
}

function readSocket(turn: string): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = new WebSocket(`${url.replace('http', 'ws')}/api/v1/ws`, { headers: { authorization } })
    socket.on('open', () => socket.send(JSON.stringify({ type: 'resume', id: 'r', data: { turn_id: turn } })))
    socket.on('message', (bytes) => {
      const { type, data } = JSON.parse((bytes as Buffer).toString('utf8'))
      if (type === 'accepted') opened()
      if (type === 'chat_content') {
        seen(turn, data.event_id)
        text += data.content
      }
      if (type === 'chat_end') socket.close()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
  })
}

const reading = Array.from({ length: Number(readers) }, (_, index) => turns[index % turns.length]!).flatMap((turn) => [
  readSse(turn),
  readSocket(turn),
])
await allOpen.promise
console.log('reading')
for (const text of await Promise.all(reading)) texts[text] = (texts[text] ?? 0) + 1
delays.sort((a, b) => a - b)
const at = (share: number) => delays[Math.floor(share * (delays.length - 1))] ?? 0
const events = delays.length + first.size
console.log(`seen ${JSON.stringify({ texts, events, p50_ms: at(0.5), p99_ms: at(0.99) })}`)
