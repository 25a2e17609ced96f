// Conversations as clients show them: titles, archive, pages with turns, downloads; and the execution log while it grows.
import { afterEach, beforeAll, expect, it } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage()
  muxi = await stage.start('all')
  return () => stage.close()
})
afterEach(() => stage.check())

const read = async (path: string) => {
  const { body, status, text } = await stage.call(muxi.url, `/api/v1${path}`)
  expect(status, text).toBe(200)
  return body
}

/** A conversation with the offline agent. @returns its id */
async function converse(...messages: string[]): Promise<string> {
  const conversation_id = await stage.conversation(muxi.url, { agent_id: 'offline' })
  for (const content of messages) {
    const { status, text } = await stage.call(muxi.url, '/api/v1/agents/offline/chat', {
      body: { content, conversation_id },
    })
    expect(status, text).toBe(200)
  }
  return conversation_id
}

it('the title comes from the first message unless it is set, and an archived conversation is left out of lists', async () => {
  const long = 'when do the ferries to the islands leave on Sunday mornings in winter, and where from'
  const id = await converse(`\n  Tell   me:\n${long}`)
  expect((await read(`/conversations/${id}`)).title).toBe('Tell me:')
  const other = await converse(long)
  expect((await read(`/conversations/${other}`)).title).toBe(
    'when do the ferries to the islands leave on Sunday mornings in winter, and…',
  )
  const emoji = await converse(`${'x'.repeat(79)}😀😀`)
  expect((await read(`/conversations/${emoji}`)).title).toBe(`${'x'.repeat(79)}…`)
  await stage.call(muxi.url, `/api/v1/conversations/${emoji}`, { method: 'DELETE' })
  const change = (body: object) =>
    stage.call(muxi.url, `/api/v1/conversations/${id}`, { method: 'PATCH', body: body as Record<string, unknown> })
  expect((await change({ title: 'Ferries' })).body).toMatchObject({ id, title: 'Ferries', archived: false })
  expect((await change({ archived: true })).body).toMatchObject({ title: 'Ferries', archived: true })
  const idsOf = async (query: string) =>
    (await read(`/conversations?agent_id=offline${query}`)).conversations.map((each: { id: string }) => each.id)
  expect(await idsOf('')).toEqual([other])
  expect(await idsOf('&archived=true')).toEqual([id])
})

it(keeps('threads.pages', 'and an unknown message or two places at once are refused'), async () => {
  const id = await converse('one', 'two', 'three', 'What time is it?', 'five')
  const messages = (await read(`/conversations/${id}/messages?limit=100`)).messages as { id: string; content: string }[]
  expect(messages).toHaveLength(10)
  const idsOf = (page: { messages: { id: string }[] }) => page.messages.map((each) => each.id)
  const all = messages.map((each) => each.id)
  const page = (query: string) => read(`/conversations/${id}/messages?${query}`)

  const around = await page(`around=${all[5]}&limit=4&include=turns`)
  expect(idsOf(around)).toEqual(all.slice(3, 7))
  expect(around).toMatchObject({ has_more: true, has_newer: true, next_cursor: all[6] })
  // A turn is with the message that began it, or with its reply where that message is not in the page.
  const withTurn = ({ messages: found }: { messages: { role: string; turn?: { tool_calls: object[] } }[] }) =>
    found.flatMap(({ role, turn }) => (turn ? [[role, turn.tool_calls.length]] : []))
  expect(withTurn(around)).toEqual([
    ['user', 1],
    ['user', 0],
    ['assistant', 0],
  ])
  expect(withTurn(await page('limit=1&include=turns'))).toEqual([['assistant', 0]])
  expect(idsOf(await page(`cursor=${all[6]}`))).toEqual(all.slice(7))
  const newer = await page(`after=${all[3]}&limit=2`)
  expect(idsOf(newer)).toEqual(all.slice(1, 3))
  expect(newer).toMatchObject({ has_more: true, has_newer: true })
  expect(await page(`after=${all[0]}`)).toEqual({ messages: [], has_more: false, next_cursor: null, has_newer: false })
  expect(await page(`around=${all[9]}&limit=4`)).toMatchObject({ has_more: false, has_newer: true })

  const { messages: withTurns } = await page('include=turns&limit=100')
  const asked = withTurns.find(({ content }: { content: string }) => content.startsWith('What time'))
  expect(asked.turn).toMatchObject({ status: 'completed', agent_id: 'offline', approvals: [] })
  expect(asked.turn.tool_calls).toMatchObject([{ name: 'current_time', is_error: false }])
  expect(withTurns.filter(({ turn }: { turn?: object }) => turn !== undefined)).toHaveLength(5)

  const refused = async (query: string) => {
    const { status, body } = await stage.call(muxi.url, `/api/v1/conversations/${id}/messages?${query}`)
    return [status, body.error.code]
  }
  expect(await refused(`around=msg_${'0'.repeat(32)}`)).toEqual([404, 'not_found'])
  expect(await refused(`around=${all[1]}&cursor=${all[2]}`)).toEqual([400, 'bad_request'])
})

it(keeps('threads.export', 'and its headers make browsers save it'), async () => {
  const id = await converse('What time is it?', '# Not a heading of ours')
  const json = await stage.call(muxi.url, `/api/v1/conversations/${id}/export`)
  expect(json.headers.get('content-disposition')).toBe(`attachment; filename="${id}.json"`)
  expect(json.body).toMatchObject({ id, agent_id: 'offline', title: 'What time is it?' })
  expect(json.body.messages.map(({ role }: { role: string }) => role)).toEqual([
    'user',
    'assistant',
    'user',
    'assistant',
  ])
  expect(json.body.messages[0].turn.tool_calls).toHaveLength(1)
  const { text, headers } = await stage.call(muxi.url, `/api/v1/conversations/${id}/export?format=md`)
  expect(headers.get('content-type')).toBe('text/markdown; charset=utf-8')
  expect(text).toMatch(/^# What time is it\?\n\n## User, 20/)
  expect(text).toContain('\n- Tool call: current_time (builtin)\n')
  expect(text).toContain('\n## offline, ')
})

it(keeps('log.live', 'in the order of the log'), async () => {
  const cue = stage.model.script({ say: manyWords('word', 40), held: new HeldReply() })
  const turn = await stage.chat(muxi.url, cue)
  await turn.shows('word-9 ')
  const turnId = turn.events[0]!.data.turn_id as string
  const response = await fetch(`${muxi.url}/api/v1/turns/${turnId}/log/stream`, {
    headers: { authorization: `Bearer ${stage.key}` },
    signal: AbortSignal.timeout(60_000),
  })
  expect(response.headers.get('content-type')).toContain('text/event-stream')
  let text = ''
  const reading = (async () => {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk
  })()
  await expect.poll(() => text).toContain('"status":"running"')
  await stage.call(muxi.url, `/api/v1/turns/${turnId}/cancel`, { method: 'POST' })
  await reading
  const frames = text
    .trim()
    .split('\n\n')
    .filter((frame) => !frame.startsWith(':'))
  expect(frames.at(-1)).toBe('event: end\ndata: {}')
  const entries = frames.slice(0, -1).map((frame) => JSON.parse(frame.split('\ndata: ')[1]!) as Record<string, unknown>)
  expect(entries.map(({ kind, status }) => [kind, status])).toEqual([
    ['model_call', 'running'],
    ['model_call', 'cancelled'],
  ])
  const log = await read(`/turns/${turnId}/log`)
  expect(entries.at(-1)).toEqual(log.entries.at(-1))
})
