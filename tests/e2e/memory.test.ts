// What turns leave behind in the process that ran them: nothing.
import { expect, it, onTestFinished } from 'vitest'
import { openInspector } from '../bench/inspector.ts'
import { freePort } from '../support/free-port.ts'
import { openStage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const TURNS = 30

it.each(['all', 'worker'] as const)(
  keeps('memory.turns', 'no signal of a turn that is over stays in memory (role %s)'),
  async (role) => {
    const stage = await openStage()
    onTestFinished(() => stage.close())
    const port = await freePort()
    // Only Node's inspector counts objects; what is counted is ours, on both runtimes.
    const options = { runtime: 'node', env: { NODE_OPTIONS: `--inspect=127.0.0.1:${port}` } } as const
    const watched = await stage.start(role, options)
    const url = role === 'all' ? watched.url : (await stage.start('api')).url
    const inspector = await openInspector(`http://127.0.0.1:${port}`)
    onTestFinished(() => inspector.close())

    stage.model.otherwise({ say: 'Well said.' })
    const run = async () => {
      for (let turn = 0; turn < TURNS; turn += 1) {
        const client = await stage.chat(url, `Turn ${turn}`, { user_id: 'anna' })
        expect((await client.untilFinal()).type).toBe('message_end')
      }
    }
    await run()
    const before = await inspector.count('AbortSignal')
    await run()
    await expect.poll(() => inspector.count('AbortSignal')).toBeLessThan(before + TURNS)
  },
)
