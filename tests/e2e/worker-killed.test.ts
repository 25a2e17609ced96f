// An API and two workers over one data folder; workers are killed with -9.
import { beforeAll, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let api: Muxi
beforeAll(async () => {
  stage = await openStage()
  api = await stage.start('api')
  return () => stage.close()
})

it(keeps('worker-killed.other-worker', 'withdraws the unfinished text and tells it again whole, the next token within 10 s'), async () => {
  const victim = await stage.start('worker')
  const reply = manyWords('second', 30)
  const cue = stage.model.script(
    { say: manyWords('first', 400), pieces_per_second: 40 },
    { say: reply, pieces_per_second: 100 },
  )
  const stream = await stage.chat(api.url, `Please ${cue}`, { conversation_id: await stage.conversation(api.url) })
  await stream.waitFor(({ type, data }) => type === 'content' && data.content.includes('first-'))
  const other = await stage.start('worker')
  await stream.waitFor(({ id }) => id >= 20)
  await victim.kill()
  const killedAt = Date.now()
  const next = await stream.waitFor(({ type, at }) => (type === 'content' || type === 'content_reset') && at > killedAt + 200, 20_000)
  expect(next.at - killedAt).toBeLessThan(10_000)
  await stream.untilFinal()
  expect(stream.events.filter(({ type }) => type === 'content_reset')).toHaveLength(1)
  const { message } = await stage.turn(api.url, stream.events[0]!.data.turn_id)
  expect(message.agent_response.content).toBe(reply)
  expect(stage.model.calls(cue)).toBe(2)
  await other.stop()
  stage.model.assertUsed()
  stage.check()
})
