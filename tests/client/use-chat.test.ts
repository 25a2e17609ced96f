// The transport for useChat: in Chromium with the unpatched @ai-sdk/react, and its chunks as the `ai` package reads them.
import {
  asSchema,
  type ChatTransport,
  readUIMessageStream,
  type UIMessage,
  type UIMessageChunk,
  uiMessageChunkSchema,
} from 'ai'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { MuxiChatTransport } from '../../client/chat-transport.ts'
import { muxi as connect } from '../../client/index.ts'
import { keeps } from '../e2e/requirements.ts'
import { HeldReply } from '../support/held-reply.ts'
import { FAULTY, NODE } from '../support/mcp-servers.ts'
import { type Muxi, openStage, type Stage } from '../support/stage.ts'
import { cutsOf, reloadAtWords } from '../support/use-chat-cuts.ts'
import { hasChromium, UseChatBrowser, type UseChatPage } from '../support/use-chat-page.ts'
import { manyWords } from '../support/words.ts'

if (!hasChromium) console.log('use-chat.test.ts: the tests with a browser are skipped (set CHROMIUM to one)')

const SEED = Number(process.env['MUXI_TEST_SEED'] ?? 19)

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage({ env: { MUXI_MCP_COMMANDS: NODE } })
  muxi = await stage.start('all')
  const faulty = { name: 'faulty', command: NODE, args: [FAULTY, 'none', stage.countFile] }
  const { status, text } = await stage.call(muxi.url, '/api/v1/agents/scripted/mcp_servers', { body: faulty })
  if (status !== 201) throw new Error(text)
  return () => stage.close()
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

let chats = 0
const newChat = () => `chat ${(chats += 1)}`
const lastTurn = async () => {
  const [row] = await stage.rows('select id from turns order by id desc limit 1')
  return stage.turn(muxi.url, String(row?.['id']))
}
const lastReply = async (): Promise<string> => (await lastTurn()).message.agent_response.content
const callOf = (label: string) => ({ call: [{ name: 'faulty__count', arguments: { label } }] })

describe('as a ChatTransport', () => {
  const schema = asSchema(uiMessageChunkSchema)
  const transport = (): ChatTransport<UIMessage> & MuxiChatTransport =>
    new MuxiChatTransport(connect({ serverUrl: muxi.url, apiKey: stage.key }), { agentName: 'scripted' })

  /** The message that the package makes of a stream whose chunks are all valid. */
  async function read(stream: ReadableStream<UIMessageChunk>, message?: UIMessage): Promise<UIMessage> {
    let last = message
    const checked = stream.pipeThrough(
      new TransformStream<UIMessageChunk, UIMessageChunk>({
        async transform(chunk, controller) {
          const { success } = await schema.validate!(chunk)
          if (!success) throw new Error(`no chunk of the protocol: ${JSON.stringify(chunk)}`)
          controller.enqueue(chunk)
        },
      }),
    )
    for await (const each of readUIMessageStream({ stream: checked, ...(message && { message }) })) last = each
    return last!
  }

  const asks = (text: string): UIMessage => ({ id: `m ${text}`, role: 'user', parts: [{ type: 'text', text }] })
  const send = (chatId: string, messages: UIMessage[], by = transport()) =>
    by.sendMessages({ chatId, messages, trigger: 'submit-message', messageId: undefined, abortSignal: undefined })
  const textOf = ({ parts }: UIMessage) => parts.map((part) => (part.type === 'text' ? part.text : '')).join('')

  it(keeps('client.use-chat', 'a message that is sent twice, a call, and text that is taken back'), async () => {
    const chat = newChat()
    const cue = stage.model.script(
      { say: 'I count. ', call: [{ name: 'count', arguments: { label: 'sent twice' } }] },
      { say: manyWords('lost', 20), break_after_pieces: 8 },
      { say: 'One.' },
    )
    const [first, second] = await Promise.all([0, 1].map(async () => read(await send(chat, [asks(cue)]))))
    expect(textOf(first!)).toBe(await lastReply())
    expect(second).toEqual(first)
    expect(await transport().reconnectToStream({ chatId: chat })).toBeNull()
    const loaded: UIMessage[] = await transport().loadMessages(chat)
    expect(loaded.map(textOf)).toEqual([cue, textOf(first!)])
    expect(loaded[1]!.id).toBe(first!.id)
    const callsOf = ({ parts }: UIMessage) =>
      parts.flatMap((part) => (part.type === 'dynamic-tool' ? [[part.toolCallId, part.state, part.output]] : []))
    expect(callsOf(loaded[1]!)).toEqual(callsOf(first!))
    expect(callsOf(first!)).toMatchObject([[expect.any(String), 'output-available', expect.anything()]])
  })

  it(keeps('client.use-chat', 'answers of a page that knows the reply from elsewhere'), async () => {
    const chat = newChat()
    const cue = stage.model.script({ say: 'May I? ', ...callOf('elsewhere') }, { say: 'Counted.' })
    const asked = await read(await send(chat, [asks(cue)]))
    const parts = asked.parts.map((part) =>
      part.type === 'dynamic-tool' && part.state === 'approval-requested'
        ? { ...part, state: 'approval-responded' as const, approval: { ...part.approval, approved: true } }
        : part,
    )
    const answered = { ...asked, parts }
    expect(answered).not.toEqual(asked)
    const ended = await read(await send(chat, [asks(cue), answered]), answered)
    expect(textOf(ended)).toBe(await lastReply())
    expect(stage.counted().filter((label) => label === 'elsewhere')).toHaveLength(1)
  })
})

describe.skipIf(!hasChromium)('in Chromium', () => {
  let browser: UseChatBrowser
  beforeAll(async () => {
    browser = await UseChatBrowser.open('client')
    return () => browser.close()
  })
  const open = () => browser.chat(muxi.url, { agent: 'scripted', key: stage.key, chat: newChat() })
  const hold = async (page: UseChatPage, ...further: { say: string }[]) => {
    const cue = stage.model.script({ say: manyWords('word', 60), held: new HeldReply() }, ...further)
    await page.send(cue)
    await page.shows('word-3 ')
    return cue
  }

  it(keeps('client.use-chat', 'reloaded at five random words of one reply'), async () => {
    const page = await open()
    const { shown, expected } = await reloadAtWords(stage, page, { words: 60, cuts: cutsOf(SEED, 5, 60) })
    expect(shown).toEqual(expected)
    expect(await lastReply()).toBe(expected[1])
    await page.reload()
    await page.shows('word-60.')
    expect(await page.shown()).toEqual(expected)
    await page.close()
  })

  it(keeps('client.use-chat', 'text that is taken back leaves the page'), async () => {
    const page = await open()
    const cue = stage.model.script(
      { say: 'I count. ', call: [{ name: 'count', arguments: { label: 'shown' } }] },
      { say: manyWords('lost', 20), break_after_pieces: 8 },
      { say: 'One.' },
    )
    await page.send(cue)
    await page.shows('One.')
    await page.status('ready')
    expect(await page.shown()).toEqual([cue, await lastReply()])
    expect(await page.toolStates()).toEqual(['output-available'])
    await page.close()
  })

  it(keeps('client.use-chat', 'stopped, also after a reload, and regenerated'), async () => {
    const page = await open()
    for (const isReloaded of [false, true]) {
      const cue = await hold(page, ...(isReloaded ? [{ say: 'Better.' }] : []))
      if (isReloaded) {
        await page.reload()
        await page.shows('word-3 ')
        await page.shows(cue.slice(0, 8))
      }
      await page.click('Stop')
      await page.status('ready')
      await expect.poll(async () => (await lastTurn()).status).toBe('cancelled')
      expect(await lastReply()).toContain((await page.shown()).at(-1))
    }
    await page.click('Regenerate')
    await page.shows('Better.')
    await page.status('ready')
    const shown = await page.shown()
    expect([shown.length, shown.at(-1)]).toEqual([4, 'Better.'])
    await page.reload()
    await page.shows('Better.')
    expect((await page.shown()).slice(2)).toEqual(shown.slice(2))
    await page.close()
  })

  it(keeps('client.use-chat', 'approves, after a reload, and denies'), async () => {
    const page = await open()
    const approved = stage.model.script(callOf('approved'), { say: 'Counted.' })
    const denied = stage.model.script(callOf('denied'), { say: 'Not counted.' })
    await page.send(approved)
    await page.status('ready')
    await page.reload()
    await page.click('Approve')
    await page.shows('Counted.')
    await page.status('ready')
    expect(await page.toolStates()).toEqual(['output-available'])
    await page.send(denied)
    await page.click('Deny')
    await page.shows('Not counted.')
    expect(await page.toolStates()).toEqual(['output-available', 'output-denied'])
    expect(stage.counted().filter((label) => ['approved', 'denied'].includes(label))).toEqual(['approved'])
    await page.close()
  })
})
