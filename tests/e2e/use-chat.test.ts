// The UI message stream: useChat of @ai-sdk/react in Chromium, and its requests as bytes.
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { hasChromium, readChunks, UseChatBrowser } from '../support/use-chat-page.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

if (!hasChromium) console.log('use-chat.test.ts: the tests with a browser are skipped (set CHROMIUM to one)')

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  return () => stage.close()
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

let chats = 0
const newChat = () => `chat ${(chats += 1)}`
const post = (body: object, agent = 'scripted') =>
  stage.call(muxi.url, `/api/v1/agents/${agent}/chat/ui`, { body: { trigger: 'submit-message', ...body } })
const asks = (id: string, text: string) => ({ id, role: 'user', parts: [{ type: 'text', text }] })

it('streams a reply as chunks of the protocol, once for a repeated request', async () => {
  const chat = newChat()
  const cue = stage.model.script({ say: 'The reply.' })
  const body = { id: chat, messages: [asks('m1', cue)], more: 'ignored' }
  const [first, second] = await Promise.all([post(body), post(body)])
  expect(first.headers.get('x-vercel-ai-ui-message-stream')).toBe('v1')
  const chunks = await readChunks(first.text)
  expect(chunks.map(({ type }) => type)).toEqual([
    'start',
    'message-metadata',
    'start-step',
    'text-start',
    'text-delta',
    'text-end',
    'finish-step',
    'finish',
  ])
  expect(chunks.at(-1)).toMatchObject({
    finishReason: 'stop',
    messageMetadata: { usage: { input_tokens: expect.any(Number) } },
  })
  expect((await post(body)).text).toBe(first.text)
  expect(second.text).toBe(first.text)
  const stream = await stage.call(muxi.url, `/api/v1/agents/scripted/chat/ui/${encodeURIComponent(chat)}/stream`)
  expect(stream.status).toBe(204)
})

describe.skipIf(!hasChromium)('in Chromium', () => {
  let browser: UseChatBrowser
  beforeAll(async () => {
    browser = await UseChatBrowser.open()
    return () => browser.close()
  })
  const open = (chat: string, agent = 'scripted') => browser.chat(muxi.url, { agent, key: stage.key, chat })

  it(keeps('ui.resume', 'at the first load, while it streams and after its end'), async () => {
    const chat = newChat()
    const reply = manyWords('word', 60)
    const held = new HeldReply()
    const cue = stage.model.script({ say: reply, held })
    const page = await open(chat)
    await page.send(cue)
    await page.shows('word-5 ')
    await page.page.reload()
    await page.shows('word-5 ')
    await page.status('streaming')
    held.release()
    await page.status('ready')
    expect(await page.shown()).toEqual([cue, reply])
    await page.page.reload()
    await page.shows('word-59')
    expect(await page.shown()).toEqual([cue, reply])
    expect(page.faults).toEqual([])
    await page.close()
  })
})
