// Messages to the orchestrator, which chooses the agent; an API and workers of their own, so that a worker can be killed.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import type { Step } from '../support/scripted-model.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let api: Muxi
let worker: Muxi
beforeAll(async () => {
  const model = { provider: 'openai', model: 'gpt-4.1-mini' }
  const system_message = 'You help.'
  stage = await openStage({
    env: { MUXI_DEFAULT_AGENT: 'scripted' },
    agents: {
      billing: { description: 'Invoices, payments, refunds and prices.', system_message, model },
      weather: { description: 'Weather forecasts: rain, wind, temperature.', system_message, model },
    },
  })
  api = await stage.start('api')
  worker = await stage.start('worker')
  return () => stage.close()
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

const chooses = (agent_id: string, confidence: number): Step => ({ say: JSON.stringify({ agent_id, confidence }) })

let users = 0
/** Sends a message to the orchestrator, as a user without any conversation before. */
async function ask(content: string, more: Record<string, unknown> = {}) {
  const stream = await stage.chat(api.url, content, { agent: 'auto', user_id: `user ${(users += 1)}`, ...more })
  const turnId = stream.events[0]?.data.turn_id ?? (await stream.waitFor('accepted')).data.turn_id
  return { stream, turnId: turnId as string }
}

/** The same, to its end. */
async function answered(content: string, more?: Record<string, unknown>) {
  const { stream, turnId } = await ask(content, more)
  await stream.untilFinal()
  const start = stream.events.find(({ type }) => type === 'message_start')?.data
  const { body: log } = await stage.call(api.url, `/api/v1/turns/${turnId}/log`)
  const routing = log.entries.filter(({ kind }: { kind: string }) => kind === 'routing')
  return { stream, turnId, start, log, routing, message: (await stage.turn(api.url, turnId)).message }
}

it(keeps('routing.chosen', 'and the request is logged and priced'), async () => {
  const cue = stage.model.script(chooses('weather', 0.9), { say: 'It will rain.' })
  const { stream, start, routing, log, message } = await answered(`What about tomorrow? ${cue}`)
  expect(stream.events.map(({ type }) => type).slice(0, 2)).toEqual(['accepted', 'message_start'])
  expect(start).toMatchObject({ agent_id: 'weather', routing_confidence: 0.9 })
  expect(message).toMatchObject({ agent_id: 'weather', routing_confidence: 0.9 })
  expect(message.agent_response.content).toBe('It will rain.')
  expect(routing).toMatchObject([
    { status: 'completed', name: 'gpt-4.1-mini', output: { agent_id: 'weather', confidence: 0.9, by: 'model' } },
  ])
  const costs = await stage.rows(
    'select step, cost_usd from model_usage where stream_id = ? order by step',
    log.turn_id,
  )
  expect(costs.map(({ step }) => step)).toEqual([0, 1])
  const cost = costs.reduce((sum, { cost_usd }) => sum + Number(cost_usd), 0)
  expect(log.totals.cost_usd).toBeCloseTo(cost, 12)
  expect(message.usage.cost_usd).toBeCloseTo(cost, 12)
  const read = async (path: string) => (await stage.call(api.url, `/api/v1${path}`)).body
  expect((await read('/agents/weather')).stats).toEqual({ conversations: 1, total_messages: 2, active_users: 1 })
  const { conversations } = await read('/conversations?agent_id=auto')
  expect(conversations.map(({ id }: { id: string }) => id)).toEqual([message.conversation_id])
  expect((await read('/turns?agent_id=auto')).turns).toEqual([])
})

it(keeps('routing.chosen', 'in the reply without a stream too, and over the WebSocket'), async () => {
  const cue = stage.model.script(chooses('billing', 0.8), { say: 'Paid.' })
  const { body } = await stage.call(api.url, '/api/v1/chat', { body: { content: `My bill? ${cue}` } })
  expect(body).toMatchObject({ agent_id: 'billing', routing_confidence: 0.8, status: 'completed' })
  const socket = await stage.socket(api.url)
  const other = stage.model.script(chooses('billing', 0.7), { say: 'Paid again.' })
  socket.send('chat', '1', { content: `And now? ${other}` })
  const start = await socket.waitFor(({ type }) => type === 'chat_start')
  expect(start.data).toMatchObject({ agent_id: 'billing', routing_confidence: 0.7 })
  await socket.waitFor(({ type }) => type === 'chat_end')
  socket.close()
})

it(keeps('routing.cached', 'with its confidence, and a change of an agent drops what was decided'), async () => {
  const cue = stage.model.script(
    chooses('weather', 0.8),
    { say: 'Sunny.' },
    { say: 'Sunny still.' },
    chooses('billing', 0.6),
    { say: 'Paid.' },
  )
  expect((await answered(`Is it SUNNY? ${cue}`)).start).toMatchObject({ agent_id: 'weather' })
  const again = await answered(` is it  sunny? ${cue}`)
  expect(again.start).toMatchObject({ agent_id: 'weather', routing_confidence: 0.8 })
  expect(again.routing).toEqual([])
  const made = await stage.call(api.url, '/api/v1/agents', {
    body: { id: 'newcomer', description: 'Is new.', system_message: 'You are new.' },
  })
  expect(made.status).toBe(201)
  expect((await answered(`Is it sunny? ${cue}`)).start).toMatchObject({ agent_id: 'billing' })
  await stage.call(api.url, '/api/v1/agents/newcomer', { method: 'DELETE' })
})

it('what is attached to a message is found by whichever agent answers later', async () => {
  const user = { user_id: 'reader' }
  const cue = stage.model.script(chooses('weather', 0.9), { say: 'I see.' })
  const data = Buffer.from('The lamp of Sund burns 12 litres of whale oil.').toString('base64')
  const attachments = [{ type: 'text/plain', name: 'lamp.txt', data }]
  expect((await answered(`Keep this. ${cue}`, { ...user, attachments })).start).toMatchObject({ agent_id: 'weather' })
  const other = stage.model.script(chooses('billing', 0.9), { say: '12 litres.' })
  const { start, log } = await answered(`How much whale oil does the lamp of Sund burn? ${other}`, user)
  expect(start).toMatchObject({ agent_id: 'billing' })
  const recalled = log.entries.find(({ kind }: { kind: string }) => kind === 'recall')
  expect(recalled.output.passages).toMatchObject([{ document: 'lamp.txt' }])
})

it.each<[string, Step, string]>([
  ['answers 500', { fail: 500 }, 'openai answered 500'],
  ['names an agent that does not exist', chooses('nobody', 1), 'the model named no agent'],
  ['writes no JSON', { say: 'The weather agent.' }, 'the model named no agent'],
])(keeps('routing.failed', 'when it %s'), async (_, step, error) => {
  const cue = stage.model.script(step, { say: 'Windy.' })
  const { start, routing } = await answered(
    `Rain or wind: what do the weather forecasts say of the temperature? ${cue}`,
  )
  expect(start).toMatchObject({ agent_id: 'weather' })
  expect(routing).toMatchObject([{ status: 'completed', error: { message: error }, output: { by: 'meaning' } }])
})

it(keeps('routing.failed', 'and a choice that is not sure goes to the default agent'), async () => {
  const cue = stage.model.script(chooses('weather', 0.2), { say: 'Hm.' })
  const { start } = await answered(`Hm ${cue}`)
  expect(start).toMatchObject({ agent_id: 'scripted', routing_confidence: 0.2 })
})

it(keeps('routing.killed', 'and the client sees one beginning'), async () => {
  const cue = stage.model.script({ ...chooses('weather', 0.9), held: new HeldReply(2) }, chooses('weather', 0.9), {
    say: 'Foggy.',
  })
  const { stream, turnId } = await ask(`Fog? ${cue}`)
  await expect.poll(() => stage.model.calls(cue)).toBe(1)
  await worker.kill()
  worker = await stage.start('worker')
  await stream.untilFinal()
  expect(stream.text).toBe('Foggy.')
  expect(stream.events.filter(({ type }) => type === 'message_start')).toHaveLength(1)
  expect((await stage.turn(api.url, turnId)).status).toBe('completed')
})

it(keeps('routing.cancelled', 'without an agent and without a reply'), async () => {
  const cue = stage.model.script({ ...chooses('weather', 0.9), held: new HeldReply(2) })
  const { stream, turnId } = await ask(`Hail? ${cue}`)
  await expect.poll(() => stage.model.calls(cue)).toBe(1)
  const { body } = await stage.call(api.url, `/api/v1/turns/${turnId}/cancel`, { method: 'POST' })
  expect(body.status).toBe('cancelled')
  await stream.untilFinal()
  expect(stream.events.map(({ type }) => type)).toEqual(['accepted', 'cancelled'])
})

it('a conversation of an agent is refused, and so is one of the orchestrator for an agent', async () => {
  const own = await stage.conversation(api.url)
  const refused = await stage.call(api.url, '/api/v1/chat', { body: { content: 'Hello', conversation_id: own } })
  expect([refused.status, refused.body.error.message]).toEqual([400, expect.stringContaining("'auto'")])
  const { body } = await stage.call(api.url, '/api/v1/conversations', { body: {} })
  expect(body).toMatchObject({ agent_id: 'auto' })
  const wrong = await stage.call(api.url, '/api/v1/agents/scripted/chat', {
    body: { content: 'Hello', conversation_id: body.id },
  })
  expect(wrong.status).toBe(400)
})
