// A worker that is stopped for half a minute and longer, and then goes on as if nothing had been.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { openStage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'

const STOPPED_MS = 30_000
/** The engine hands tasks to a stopped worker as long as its polls are open, and each has to time out. */
const TOLD_AGAIN_MS = 90_000

it.each(['sqlite', 'postgres'] as const)(
  'a stopped worker is fenced on %s: another one tells the text again, its own late words are refused',
  async (database) => {
    const stage = await openStage({ database })
    onTestFinished(() => stage.close())
    const api = await stage.start('api')
    const worker = await stage.start('worker')
    const reply = manyWords('second', 300)
    const cue = stage.model.script(
      { say: manyWords('first', 400), pieces_per_second: 40 },
      { say: reply, pieces_per_second: 20 },
    )
    const stream = await stage.chat(api.url, cue, { conversation_id: await stage.conversation(api.url) })
    await stream.waitFor(({ type, data }) => type === 'content' && data.content.includes('first-'))
    await stage.start('worker')
    worker.signal('SIGSTOP')
    const stoppedAt = Date.now()
    const next = stage.model.script({ say: 'Later.' })
    const other = await stage.chat(api.url, next, { conversation_id: await stage.conversation(api.url) })
    const reset = await stream.waitFor('content_reset', TOLD_AGAIN_MS)
    console.log(`${database}: re-emitted ${reset.at - stoppedAt} ms after the worker was stopped`)
    await sleep(Math.max(0, stoppedAt + STOPPED_MS - Date.now()))
    worker.signal('SIGCONT')
    expect((await stream.untilFinal()).type).toBe('message_end')
    expect((await other.untilFinal(TOLD_AGAIN_MS)).type).toBe('message_end')
    expect(stream.events.filter(({ type }) => type === 'content_reset')).toHaveLength(1)
    const { turn_id } = stream.events[0]!.data
    expect((await stage.turn(api.url, turn_id)).message.agent_response.content).toBe(reply)
    expect(stage.model.calls(cue)).toBe(2)
    await stage.check()
  },
)
