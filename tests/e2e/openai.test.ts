// The OpenAI-compatible API with the official package for Node, unpatched.
import OpenAI from 'openai'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
let client: OpenAI
beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  client = new OpenAI({ baseURL: `${muxi.url}/v1`, apiKey: stage.key, maxRetries: 0 })
  return () => stage.close()
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

it(keeps('openai.models', 'each agent is a model, auto is the orchestrator'), async () => {
  const models = await client.models.list()
  expect(models.data.map(({ id }) => id)).toEqual(['auto', 'offline', 'scripted'])
  expect(await client.models.retrieve('scripted')).toMatchObject({ id: 'scripted', object: 'model', owned_by: 'muxi' })
})

it(keeps('openai.chat', 'with the conversation that the request brings'), async () => {
  const cue = stage.model.script({ say: 'Bonjour.' })
  const reply = await client.chat.completions.create({
    model: 'scripted',
    messages: [
      { role: 'system', content: 'Answer in French.' },
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: 'Salut.' },
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: cue },
    ],
    temperature: 0.25,
    max_completion_tokens: 77,
  })
  expect(reply).toMatchObject({
    object: 'chat.completion',
    model: 'scripted',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Bonjour.' }, finish_reason: 'stop' }],
  })
  expect(reply.usage!.total_tokens).toBe(reply.usage!.prompt_tokens + reply.usage!.completion_tokens)
  const [asked] = stage.model.requests(cue)
  expect(asked).toMatchObject({ temperature: 0.25, max_tokens: 77 })
  expect(asked!.messages).toEqual([
    { role: 'system', content: 'You say what the test scripted.\n\nAnswer in French.\n\nBe brief.' },
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: 'Salut.' },
    { role: 'user', content: cue },
  ])
  const turn = await stage.turn(muxi.url, reply.id.replace('chatcmpl-', ''))
  expect(turn).toMatchObject({ status: 'completed', message: { agent_response: { content: 'Bonjour.' } } })
  const { body } = await stage.call(muxi.url, '/api/v1/conversations')
  expect(body.conversations).toEqual([])
})

it(keeps('openai.stream', 'its text and its usage'), async () => {
  const cue = stage.model.script({ say: 'One two three four five.' })
  const stream = await client.chat.completions.create({
    model: 'scripted',
    messages: [{ role: 'user', content: cue }],
    stream: true,
    stream_options: { include_usage: true },
  })
  const chunks = await Array.fromAsync(stream)
  expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('One two three four five.')
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: expect.any(Number) } })
  expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true)
  expect(chunks.at(-2)!.choices[0]!.finish_reason).toBe('stop')
})
