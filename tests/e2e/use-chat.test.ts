// The UI message stream: useChat of @ai-sdk/react in Chromium, and its requests as bytes.
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { FAULTY, NODE } from '../support/mcp-servers.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { cutsOf, reloadAtWords } from '../support/use-chat-cuts.ts'
import { hasChromium, readChunks, UseChatBrowser } from '../support/use-chat-page.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

if (!hasChromium) console.log('use-chat.test.ts: the tests with a browser are skipped (set CHROMIUM to one)')

const SEED = Number(process.env['MUXI_TEST_SEED'] ?? 18)

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
const post = (body: object, agent = 'scripted') =>
  stage.call(muxi.url, `/api/v1/agents/${agent}/chat/ui`, { body: { trigger: 'submit-message', ...body } })
const asks = (id: string, text: string) => ({ id, role: 'user', parts: [{ type: 'text', text }] })

it(keeps('ui.chunks', 'and a repeated request gets the same'), async () => {
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

it(keeps('ui.queued', 'and is answered after it'), async () => {
  const [chat, held] = [newChat(), new HeldReply()]
  const cue = stage.model.script({ say: manyWords('one', 40), held })
  const first = post({ id: chat, messages: [asks('m1', cue)] })
  const turnsOf = async (status: string) => (await stage.call(muxi.url, `/api/v1/turns?status=${status}`)).body.turns
  const running = await vi.waitUntil(async () => (await turnsOf('running'))[0], { timeout: 20_000 })
  const second = post({ id: chat, messages: [asks('m2', stage.model.script({ say: 'The second.' }))] })
  await vi.waitUntil(async () => (await turnsOf('queued')).length === 1, { timeout: 20_000 })
  held.release()
  expect((await readChunks((await first).text)).map(({ type }) => type)).not.toContain('data-muxi-queued')
  const chunks = await readChunks((await second).text)
  expect(chunks.slice(0, 3)).toMatchObject([
    { type: 'start' },
    { type: 'data-muxi-queued', data: { position: 1, waits_for: running.turn_id }, transient: true },
    { type: 'message-metadata' },
  ])
  expect(chunks.at(-1)?.type).toBe('finish')
})

it(keeps('ui.interrupted', 'and is resumed elsewhere'), async () => {
  const api = await stage.start('api')
  const chat = newChat()
  const held = new HeldReply()
  const cue = stage.model.script({ say: manyWords('word', 60), held })
  const headers = { authorization: `Bearer ${stage.key}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ id: chat, messages: [asks('m1', cue)] })
  const response = await fetch(`${api.url}/api/v1/agents/scripted/chat/ui`, { method: 'POST', headers, body })
  let text = ''
  let stopping: Promise<unknown> | undefined
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece
    if (text.includes('word-3 ')) stopping ??= api.stop()
  }
  expect(await stopping).toBe(0)
  expect((await readChunks(text)).at(-1)).toMatchObject({
    type: 'error',
    errorText: expect.stringContaining('resume the chat'),
  })
  const resumed = await fetch(`${muxi.url}/api/v1/agents/scripted/chat/ui/${encodeURIComponent(chat)}/stream`, {
    headers,
  })
  held.release()
  const chunks = await readChunks(await resumed.text())
  expect(chunks.at(-1)).toMatchObject({ type: 'finish', finishReason: 'stop' })
})

describe.skipIf(!hasChromium)('in Chromium', () => {
  let browser: UseChatBrowser
  beforeAll(async () => {
    browser = await UseChatBrowser.open()
    return () => browser.close()
  })
  const open = (chat = newChat()) => browser.chat(muxi.url, { agent: 'scripted', key: stage.key, chat })
  const lastTurn = async () => {
    const [row] = await stage.rows('select id from turns order by id desc limit 1')
    return stage.turn(muxi.url, String(row?.['id']))
  }

  it(keeps('ui.resume', 'here at five random words of one reply'), async () => {
    const cuts = cutsOf(SEED, 5, 60)
    const page = await open()
    const { shown, expected } = await reloadAtWords(stage, page, { words: 60, cuts })
    expect(shown).toEqual(expected)
    expect((await lastTurn()).message.agent_response.content).toBe(expected[1])
    await page.reload()
    await page.shows('word-60.')
    expect(await page.shown()).toEqual(expected)
    await page.close()
  })

  it(keeps('ui.reset', 'with a tool call before it'), async () => {
    const page = await open()
    const cue = stage.model.script(
      { say: 'I count. ', call: [{ name: 'count', arguments: { label: 'shown' } }] },
      { say: manyWords('lost', 20), break_after_pieces: 8 },
      { say: 'One.' },
    )
    await page.send(cue)
    await page.shows('One.')
    await page.status('ready')
    expect(await page.shown()).toEqual([cue, (await lastTurn()).message.agent_response.content])
    expect(await page.toolStates()).toEqual(['output-available'])
    await page.close()
  })

  it(keeps('ui.stop', 'and its text stays'), async () => {
    const page = await open()
    const cue = stage.model.script({ say: manyWords('word', 60), held: new HeldReply() })
    await page.send(cue)
    await page.shows('word-3 ')
    await page.click('Leave')
    await page.status('ready')
    // Its first words may come before its workflow begins.
    await expect.poll(async () => (await lastTurn()).status).toBe('running')
    await page.reload()
    await page.shows('word-3 ')
    await page.click('Stop')
    await page.status('ready')
    await expect.poll(async () => (await lastTurn()).status).toBe('cancelled')
    expect(await page.shown()).toEqual([cue, (await lastTurn()).message.agent_response.content])
    await page.close()
  })

  it(keeps('ui.approval', 'also after a reload'), async () => {
    const page = await open()
    const call = (label: string) => ({ call: [{ name: 'faulty__count', arguments: { label } }] })
    const [approved, denied] = [
      stage.model.script(call('approved'), { say: 'Counted.' }),
      stage.model.script(call('denied'), { say: 'Not counted.' }),
    ]
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

  it(keeps('ui.regenerate', 'and the earlier one is stopped'), async () => {
    const page = await open()
    const cue = stage.model.script({ say: manyWords('word', 60), held: new HeldReply() }, { say: 'Better.' })
    await page.send(cue)
    await page.shows('word-3 ')
    await page.click('Leave')
    await page.status('ready')
    await page.click('Regenerate')
    await page.shows('Better.')
    await page.status('ready')
    expect(await page.shown()).toEqual([cue, 'Better.'])
    await page.reload()
    await page.shows('Better.')
    expect(await page.shown()).toEqual([cue, 'Better.'])
    await page.close()
  })
})
