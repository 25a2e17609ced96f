// A turn as a handler of a Restate virtual object keyed by conversation: history read from and saved to its state, the model
// call in ctx.run. Restate answers with one value, so words pass to the waiting response in process.
import http from 'node:http'
import { randomUUID } from 'node:crypto'
import * as restate from '@restatedev/restate-sdk'
import { streamModel } from '../stream-model.mjs'

const waiting = new Map()

const conversation = restate.object({
  name: 'conversation',
  handlers: {
    turn: async (ctx, { text, id }) => {
      const history = (await ctx.get('history')) ?? []
      const reply = await ctx.run('model', () =>
        streamModel([...history, { role: 'user', content: text }], (word) => waiting.get(id)?.(word)),
      )
      ctx.set(
        'history',
        [...history, { role: 'user', content: text }, { role: 'assistant', content: reply }].slice(-10),
      )
      return reply
    },
  },
})

await restate.serve({ services: [conversation], port: Number(process.env.SERVICE_PORT) })

http
  .createServer(async (req, res) => {
    let raw = ''
    for await (const part of req.setEncoding('utf8')) raw += part
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    if (!raw) return res.end()
    const { conversation, text } = JSON.parse(raw),
      id = randomUUID()
    waiting.set(id, (delta) => res.write(`data: ${JSON.stringify({ delta })}\n\n`))
    const reply = await fetch(`${process.env.INGRESS}/conversation/${conversation}/turn`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text, id }),
    })
    await reply.text()
    waiting.delete(id)
    res.end(reply.ok ? 'data: [DONE]\n\n' : 'event: error\ndata: {}\n\n')
  })
  .listen(process.env.PORT, '127.0.0.1')
