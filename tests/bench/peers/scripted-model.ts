// A scripted model behind the chat-completions wire format, in a process of its own. `SAY <n> <ms> [as <tag>]` in the last user
// message makes n words, one every ms, the first at once. Words are due at start + i * ms, so a late timer does not lengthen
// the turn. GET /seen?tag=… tells whether an answer with that tag was streamed to its end, and what the latest request carried.
import { createServer, type ServerResponse } from 'node:http'

interface Message {
  role: string
  content?: string | { text?: string }[] | null
}

const answered = new Set<string>()
let latest: string[] = []

const textOf = ({ content }: Message) =>
  typeof content === 'string' ? content : (content ?? []).map(({ text }) => text ?? '').join(' ')

function answer(body: { model?: string; messages: Message[]; stream?: boolean }, response: ServerResponse): void {
  latest = body.messages.map(textOf)
  const asked = body.messages.findLast(({ role }) => role === 'user')
  const [, n = '5', ms = '1', tag] = /SAY (\d+) (\d+)(?: as (\S+))?/.exec(asked ? textOf(asked) : '') ?? []
  const words = Number(n)
  const gap = Number(ms)
  const base = { id: 'chatcmpl-1', created: Math.floor(Date.now() / 1_000), model: body.model ?? 'scripted' }
  const usage = { prompt_tokens: 11, completion_tokens: words, total_tokens: 11 + words }
  if (!body.stream) {
    const content = Array.from({ length: words }, (_, i) => `w${i} `).join('')
    const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }]
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ ...base, object: 'chat.completion', usage, choices }))
    return
  }
  const frame = (more: object) => `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', ...more })}\n\n`
  const chunk = (delta: object, finish_reason: string | null = null) =>
    frame({ choices: [{ index: 0, delta, finish_reason }] })
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  response.socket?.setNoDelay(true)
  const startedAt = performance.now()
  let word = 0
  const step = (): void => {
    if (response.destroyed) return
    let due = ''
    for (; word < words && performance.now() - startedAt >= word * gap; word += 1) {
      due += chunk({ ...(word === 0 && { role: 'assistant' }), content: `w${word} ` })
    }
    if (due) response.write(due)
    const wait = startedAt + word * gap - performance.now()
    if (word < words || wait > 0) return void setTimeout(step, Math.max(0, wait))
    if (tag) answered.add(tag)
    response.end(`${chunk({}, 'stop')}${frame({ choices: [], usage })}data: [DONE]\n\n`)
  }
  step()
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const json = (status: number, value: object) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
  if (url.pathname === '/seen') {
    json(200, { answered: answered.has(url.searchParams.get('tag') ?? ''), latest })
    return
  }
  if (request.method === 'GET') {
    json(200, { object: 'list', data: [{ id: 'scripted', object: 'model' }] })
    return
  }
  let body = ''
  request.setEncoding('utf8').on('data', (text: string) => (body += text))
  request.on('end', () => {
    if (url.pathname.endsWith('/chat/completions')) answer(JSON.parse(body), response)
    else json(404, { error: { message: 'no such route' } })
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  process.stdout.write(`ready ${JSON.stringify({ url: `http://127.0.0.1:${port}` })}\n`)
})
process.stdin.on('end', () => process.exit(0)).resume()
