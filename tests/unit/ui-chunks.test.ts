// Events of a turn as chunks of the UI message stream: what the `ai` package makes of them.
import { asSchema, readUIMessageStream, uiMessageChunkSchema, type UIMessage, type UIMessageChunk } from 'ai'
import { describe, expect, it } from 'vitest'
import { seenBy } from '../../api/ui-stream/seen-by.ts'
import { UiChunks, type UiChunk } from '../../client/ui/ui-chunks.ts'
import type { NewEvent } from '../../contracts/events.ts'

const schema = asSchema(uiMessageChunkSchema)
const START: NewEvent[] = [
  { type: 'accepted', data: { turn_id: 'turn_1', conversation_id: 'conv_1', message_id: 'msg_1' } },
  {
    type: 'message_start',
    data: { id: 'msg_1', turn_id: 'turn_1', conversation_id: 'conv_1', agent_id: 'agent', created_at: '2026' },
  },
]
const END: NewEvent = {
  type: 'message_end',
  data: { id: 'msg_1', usage: { input_tokens: 1, output_tokens: 2 }, finish_reason: 'stop' },
}
const says = (content: string, step = 1): NewEvent => ({ type: 'content', data: { content, step } })
const reset = (content: string, step = 1): NewEvent => ({
  type: 'content_reset',
  data: { step, reason: 'lost', content },
})
const calls = (id: string): NewEvent => ({
  type: 'tool_call_start',
  data: { id, name: 'look', server: 'eyes', parameters: { at: id } },
})
const asksFor = (id: string, call_id: string, more: object = {}): NewEvent => ({
  type: 'approval_required',
  data: { id, call_id, kind: 'tool', name: 'look', server: 'eyes', parameters: {}, ...more },
})
const decided = (id: string, decision: 'approve' | 'deny' | 'cancelled'): NewEvent => ({
  type: 'approval_decided',
  data: { id, decision },
})
const ends = (id: string, output: unknown = 'seen', is_error = false): NewEvent => ({
  type: 'tool_call_end',
  data: { id, output, is_error },
})

/** The chunks of the events, each checked against the package's schema. */
async function chunksOf(events: readonly NewEvent[], translated = new UiChunks()): Promise<UiChunk[]> {
  const chunks = events.flatMap((event) => translated.next(event))
  for (const chunk of chunks)
    expect(await schema.validate!(chunk), JSON.stringify(chunk)).toMatchObject({ success: true })
  return chunks
}

/** The message that the package makes of them. */
async function messageOf(events: readonly NewEvent[]): Promise<UIMessage> {
  const chunks = (await chunksOf(events)) as UIMessageChunk[]
  let last: UIMessage | undefined
  const stream = new ReadableStream<UIMessageChunk>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
  for await (const message of readUIMessageStream({ stream })) last = message
  return last!
}

const textOf = ({ parts }: UIMessage) => parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
const toolsOf = ({ parts }: UIMessage) =>
  parts.flatMap((part) => (part.type === 'dynamic-tool' ? [[part.toolCallId, part.state]] : []))

describe('UiChunks', () => {
  it('makes a message with the text, the ids and the usage of the turn', async () => {
    const message = await messageOf([...START, says('Hello '), says('world'), END])
    expect([message.id, textOf(message)]).toEqual(['msg_1', 'Hello world'])
    expect(message.metadata).toEqual({
      turn_id: 'turn_1',
      conversation_id: 'conv_1',
      agent_id: 'agent',
      created_at: '2026',
      usage: { input_tokens: 1, output_tokens: 2 },
    })
  })

  it.each([
    ['before the first word', [reset(''), says('all')], 'all'],
    ['after words', [says('half'), reset(''), says('all')], 'all'],
    ['twice', [says('half'), reset(''), says('again'), reset(''), says('all')], 'all'],
    ['of the second step', [says('one. '), says('tw', 2), reset('one. ', 2), says('two', 2)], 'one. two'],
    ['of a second step without words', [says('one. '), reset('one. ', 2), says('two', 2)], 'one. two'],
    ['after a tool call', [calls('a'), ends('a'), says('so', 2), reset('', 2), says('so it is', 2)], 'so it is'],
    ['with text that it keeps', [says('one'), reset('on'), says('ly')], 'only'],
  ])('a reset %s leaves no text twice, and the tool calls in place', async (_, events, text) => {
    const message = await messageOf([...START, ...events, END])
    expect(textOf(message)).toBe(text)
    expect(toolsOf(message)).toEqual(
      events.some(({ type }) => type === 'tool_call_start') ? [['a', 'output-available']] : [],
    )
    expect(message.parts.filter(({ type }) => type === 'data-muxi-reset')).toHaveLength(1)
  })

  it('tool calls end with their output, an error, or denied', async () => {
    const asked = [calls('a'), calls('b'), calls('c'), asksFor('appr_1', 'c'), decided('appr_1', 'deny')]
    const events = [...START, ...asked, ends('a'), ends('b', 'broken', true), ends('c', 'denied', true), END]
    expect(toolsOf(await messageOf(events))).toEqual([
      ['a', 'output-available'],
      ['b', 'output-error'],
      ['c', 'output-denied'],
    ])
  })

  it('is parked when all calls that run wait for approvals, and shows one approval of a call at a time', async () => {
    const translated = new UiChunks()
    const next = async (event: NewEvent) => (await chunksOf([event], translated)).map(({ type }) => type)
    await chunksOf([...START, calls('a'), calls('b')], translated)
    expect(await next(asksFor('appr_1', 'a'))).toEqual(['tool-approval-request'])
    expect(translated.parkedFor).toEqual([])
    expect(await next(ends('b'))).toEqual(['tool-output-available'])
    expect(translated.parkedFor).toEqual(['appr_1'])
    expect(await next(asksFor('appr_2', 'a'))).toEqual([])
    expect(await next(decided('appr_1', 'approve'))).toEqual(['tool-approval-response', 'tool-approval-request'])
    expect(translated.parkedFor).toEqual(['appr_2'])
    expect(await next(decided('appr_2', 'cancelled'))).toEqual(['tool-output-denied'])
    expect(translated.parkedFor).toEqual([])
    expect(translated.park().map(({ type }) => type)).toEqual(['finish'])
  })

  it('questions and sign-ins are data, for which the stream stays open', async () => {
    const translated = new UiChunks()
    await chunksOf([...START, calls('a')], translated)
    const [question] = await chunksOf([asksFor('appr_1', 'a', { kind: 'question', schema: {} })], translated)
    expect(question).toMatchObject({ type: 'data-muxi-approval', id: 'appr_1', data: { kind: 'question' } })
    expect(translated.parkedFor).toEqual([])
  })

  it.each([
    [{ type: 'cancelled', data: { id: 'msg_1' } } as NewEvent, { type: 'abort' }],
    [
      { type: 'error', data: { code: 'upstream_error', message: 'The model is away' } } as NewEvent,
      { type: 'error', errorText: 'The model is away' },
    ],
  ])('closes the text before the end of a turn that did not complete', async (final, chunk) => {
    const chunks = await chunksOf([...START, says('half'), final])
    expect(chunks.slice(-3)).toMatchObject([{ type: 'text-end' }, { type: 'finish-step' }, chunk])
  })
})

describe('what a client has seen that answers an approval', () => {
  const numbered = (events: readonly NewEvent[]) => events.map((event, index) => ({ ...event, id: index + 1 }))

  it('nothing of a call that ran beside the one that waits', () => {
    const events = [...START, calls('a'), asksFor('appr_1', 'a'), calls('b'), ends('b')]
    expect(seenBy(numbered(events), new Set(['appr_1']))).toBe(4)
  })

  it('all up to the last question that it knows', () => {
    const events = [...START, calls('a'), asksFor('appr_1', 'a'), calls('b'), asksFor('appr_2', 'b')]
    expect(seenBy(numbered(events), new Set(['appr_1', 'appr_2']))).toBe(6)
    expect(seenBy(numbered(events), new Set(['appr_1']))).toBe(4)
    expect(seenBy(numbered(events), new Set())).toBe(0)
  })
})
