// A model on the wire that answers at a given pace, run as a process of its own so that it does not share our event loop.
// The last user message says how: `{"words": 20, "gap_ms": 5}`, and which tool to call first. Each word is the moment it was sent, so that lag can be measured;
// GET /closed tells when connections were closed before their answer had ended.
import { createServer, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

export interface Pace {
  words: number
  gap_ms: number
  call?: { name: string; arguments: object }
}

const closed: Record<string, number> = {}
const now = () => performance.timeOrigin + performance.now()

async function answer(body: string, response: ServerResponse): Promise<void> {
  const { messages } = JSON.parse(body) as { messages: { role: string; content: string }[] }
  const asked = messages.findLast(({ role }) => role === 'user')?.content ?? '{}'
  const { words, gap_ms, tag, call } = JSON.parse(asked) as Pace & { tag?: string }
  let open = true
  response.on('close', () => {
    open = false
    if (tag && !response.writableFinished) closed[tag] = now()
  })
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (delta: object, finish_reason: string | null = null) =>
    response.write(
      `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })}\n\n`,
    )
  if (call && messages.at(-1)?.role !== 'tool') {
    const made = { name: call.name, arguments: JSON.stringify(call.arguments) }
    send({ tool_calls: [{ index: 0, id: 'call', type: 'function', function: made }] })
    return finish('tool_calls')
  }
  const startedAt = performance.now()
  for (let word = 0; word < words && open; word += 1) {
    const wait = startedAt + word * gap_ms - performance.now()
    if (wait > 0) await delay(wait)
    send({ content: `${now().toFixed(2)} ` })
  }
  if (open) finish('stop')

  function finish(reason: string): void {
    send({}, reason)
    response.write(
      `data: ${JSON.stringify({ id: 'x', choices: [], usage: { prompt_tokens: 1, completion_tokens: words, total_tokens: words + 1 } })}\n\n`,
    )
    response.end('data: [DONE]\n\n')
  }
}

const server = createServer((request, response) => {
  if (request.url === '/closed') return void response.end(JSON.stringify(closed))
  let body = ''
  request.on('data', (chunk: Buffer) => (body += chunk.toString()))
  request.on('end', () => void answer(body, response))
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(
    `ready ${JSON.stringify({ url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}` })}\n`,
  )
})
process.stdin.on('end', () => process.exit(0)).resume()
