// Messages that replace earlier ones: edit and regenerate, over each way to send a message, and while processes are killed.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let api: Muxi
beforeAll(async () => {
  stage = await openStage({ env: { MUXI_ENGINE_SWEEP_MS: '1000' } })
  api = await stage.start('api')
  return () => stage.close()
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

interface Message {
  id: string
  role: string
  content: string
  turn_id: string
}
const messagesOf = async (conversation: string): Promise<Message[]> =>
  (await stage.call(api.url, `/api/v1/conversations/${conversation}/messages`)).body.messages
const post = (body: object, headers: Record<string, string> = {}) =>
  stage.call(api.url, '/api/v1/agents/scripted/chat', { body, headers })

it(keeps('threads.replaces', 'once under an Idempotency-Key'), async () => {
  const worker = await stage.start('worker')
  const conversation_id = await stage.conversation(api.url)
  const cues = ['rain', 'sun', 'snow', 'wind'].map((say) => stage.model.script({ say }))
  expect((await post({ content: cues[0], conversation_id })).status).toBe(200)
  const newest = async () => (await messagesOf(conversation_id)).find(({ role }) => role === 'user')!

  const first = await newest()
  const edit = { content: cues[1], conversation_id, replaces: first.id }
  const [edited, again] = await Promise.all([1, 2].map(() => post(edit, { 'idempotency-key': 'edit' })))
  expect([edited!.status, again!.body.turn_id]).toEqual([200, edited!.body.turn_id])
  expect((await stage.turn(api.url, first.turn_id)).superseded).toBe(true)

  const stream = await stage.chat(api.url, cues[2]!, { conversation_id, replaces: (await newest()).id })
  await stream.untilFinal()
  const socket = await stage.socket(api.url)
  const replaces = (await newest()).id
  socket.send('chat', 'q', { content: cues[3], agent_id: 'scripted', conversation_id, replaces })
  await socket.waitFor(({ type }) => type === 'chat_end')
  socket.close()

  expect((await messagesOf(conversation_id)).map(({ content }) => content)).toEqual(['wind', cues[3]])
  for (const cue of cues) expect(stage.model.requests(cue).map(({ messages }) => messages.length)).toEqual([2])
  const refused = async (message: string) => {
    const { status, body } = await post({ content: 'x', conversation_id, replaces: message })
    return [status, body.error.code]
  }
  expect(await refused(first.id)).toEqual([409, 'conflict'])
  expect(await refused(`msg_${'0'.repeat(32)}`)).toEqual([404, 'not_found'])
  expect(await refused((await messagesOf(conversation_id))[0]!.id)).toEqual([400, 'bad_request'])
  await worker.kill()
})

it(keeps('threads.replaces-killed', 'with the rest of the conversation'), async () => {
  const victim = await stage.start('worker')
  const conversation_id = await stage.conversation(api.url)
  const [kept, replaced, edited] = [
    stage.model.script({ say: 'kept' }),
    stage.model.script({ say: manyWords('old', 40), held: new HeldReply() }),
    stage.model.script({ say: manyWords('new', 40), held: new HeldReply() }, { say: 'answered' }),
  ]
  await post({ content: kept, conversation_id })
  const old = await stage.chat(api.url, replaced, { conversation_id })
  await old.shows('old-3 ')
  const { id: replaces } = (await messagesOf(conversation_id))[0]!
  const more = { conversation_id, replaces, on_busy: 'interrupt', headers: { 'idempotency-key': 'once' } }
  const stream = await stage.chat(api.url, edited, more)
  await stream.shows('new-3 ')
  const turnId = stream.events[0]!.data.turn_id as string
  await Promise.all([victim.kill(), api.kill()])
  api = await stage.start('api')
  const other = await stage.start('worker')
  const resumed = await stage.chat(api.url, edited, more)
  expect((await resumed.untilFinal()).type).toBe('message_end')
  expect(resumed.events[0]!.data.turn_id).toBe(turnId)
  const messages = await messagesOf(conversation_id)
  expect(messages.map(({ content }) => content)).toEqual(['answered', edited, 'kept', kept])
  for (const { messages: told } of stage.model.requests(edited)) expect(JSON.stringify(told)).not.toContain('old-')
  await other.kill()
})
