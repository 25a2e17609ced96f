// The same sources on Deno.
import { expect, it, onTestFinished } from 'vitest'
import { openStage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

it(keeps('deno.turn', 'a turn with a tool call streams, is resumed and replayed, over SSE and WebSocket'), async () => {
  const stage = await openStage()
  onTestFinished(() => stage.close())
  const muxi = await stage.start('all', { runtime: 'deno' })
  const cue = stage.model.script(
    { say: 'I look. ', call: [{ name: 'current_time', arguments: {} }] },
    { say: manyWords('word', 60), pieces_per_second: 60 },
  )
  const stream = await stage.chat(muxi.url, cue)
  await stream.waitFor(({ id }) => id >= 10)
  stream.cut()
  await stream.ended
  const rest = await stage.follow(muxi.url, stream.events[0]!.data.turn_id, stream.lastId)
  expect((await rest.untilFinal()).type).toBe('message_end')
  const replay = await stage.follow(muxi.url, stream.events[0]!.data.turn_id)
  await replay.ended
  expect(stream.raw + rest.raw).toBe(replay.raw)
  const socket = await stage.socket(muxi.url)
  socket.send('chat', 'c', { agent_id: 'scripted', content: stage.model.script({ say: 'Over a socket.' }) })
  expect((await socket.waitFor(({ type }) => type === 'chat_end')).data.usage).toBeDefined()
  socket.close()
  expect(await muxi.stop()).toBe(0)
  stage.model.assertUsed()
  await stage.check()
})
