// useChat in Chromium while its page is reloaded at 50 random words, with the transport of its package and with that of the client.
import { beforeAll, expect, it } from 'vitest'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { cutsOf, reloadAtWords } from '../support/use-chat-cuts.ts'
import { UseChatBrowser } from '../support/use-chat-page.ts'

const SEED = Number(process.env['MUXI_TEST_SEED'] ?? 18)
const TURNS = 10
const CUTS = 5

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  return () => stage.close()
})

it.each(['default', 'client'] as const)(`shows each text once after ${TURNS * CUTS} reloads: %s`, async (transport) => {
  console.log(`MUXI_TEST_SEED=${SEED}`)
  const browser = await UseChatBrowser.open(transport)
  for (let turn = 0; turn < TURNS; turn += 1) {
    const page = await browser.chat(muxi.url, { agent: 'scripted', key: stage.key, chat: `${transport} ${turn}` })
    const cuts = cutsOf(SEED + turn, CUTS, 60)
    const { shown, expected } = await reloadAtWords(stage, page, { words: 60, cuts })
    expect(shown, `turn ${turn}, cuts ${cuts.join(', ')}`).toEqual(expected)
    await page.close()
  }
  await browser.close()
  await stage.check()
})
