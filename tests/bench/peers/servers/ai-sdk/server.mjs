// The floor: the AI SDK behind node:http, nothing stored.
import http from 'node:http'
import { streamText } from 'ai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'

const model = createOpenAICompatible({ name: 'scripted', baseURL: process.env.MODEL_URL, apiKey: 'none' })('scripted')

http
  .createServer(async (req, res) => {
    let raw = ''
    for await (const part of req.setEncoding('utf8')) raw += part
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    if (!raw) return res.end()
    const result = streamText({ model, system: 'You are a test agent.', prompt: JSON.parse(raw).text })
    for await (const delta of result.textStream) res.write(`data: ${JSON.stringify({ delta })}\n\n`)
    res.end('data: [DONE]\n\n')
  })
  .listen(process.env.PORT, '127.0.0.1')
