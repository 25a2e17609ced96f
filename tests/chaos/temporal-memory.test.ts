// The Temporal server with as little memory as can be set, under 32 turns at once: every turn ends, and the limit holds.
import { expect, it, onTestFinished } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { memoryOf } from '../support/process-memory.ts'
import { openStage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'

const MINUTES = Number(process.env['MUXI_TEST_CHAOS_MINUTES'] ?? 10)
const AT_ONCE = 32
const LIMIT_MB = 128
/** The limit is soft: what is in use while garbage is collected comes on top. In MiB. */
const MARGIN_MB = 32

it.runIf(process.platform === 'linux')(
  `${AT_ONCE} turns at once for ${MINUTES} minutes with ${LIMIT_MB} MiB for the Temporal server`,
  { timeout: (MINUTES + 5) * 60_000 },
  async () => {
    const stage = await openStage({ withoutTemporal: true })
    onTestFinished(() => stage.close())
    stage.model.otherwise({ say: manyWords('word', 20), pieces_per_second: 200 })
    const env = { MUXI_TEMPORAL_MEMORY_MB: String(LIMIT_MB) }
    const { url } = await stage.startProduct({ port: await freePort(), env })
    const [server] = stage.serverPids()

    const endsAt = Date.now() + MINUTES * 60_000
    const outcomes = new Map<string, number>()
    let most = 0
    const lane = async (number: number) => {
      while (Date.now() < endsAt) {
        const turn = await stage.chat(url, 'Say it.', { user_id: `person-${number}` })
        const { type } = await turn.untilFinal(60_000)
        outcomes.set(type, (outcomes.get(type) ?? 0) + 1)
        most = Math.max(most, Math.round(memoryOf(server!, 'Anonymous') / 1_024))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, (_, number) => lane(number)))
    console.log(`${outcomes.get('message_end')} turns, at most ${most} MiB`)
    expect([...outcomes.keys()]).toEqual(['message_end'])
    expect(most).toBeLessThan(LIMIT_MB + MARGIN_MB)
    await stage.check()
  },
)
