// Neutral requests in the form of chat completions.
import { expect, it } from 'vitest'
import { textPart, type ModelMessage } from '../../contracts/model-messages.ts'
import { toParams } from '../../providers/openai-request.ts'

const request = (...messages: ModelMessage[]) =>
  toParams({ model: 'm', system: 'Be brief.', messages, tools: [], passages: [] })
const image = { type: 'image' as const, media_type: 'image/png', base64: 'cGlj' }
const shownImage = { type: 'image_url', image_url: { url: 'data:image/png;base64,cGlj' } }

it('the system prompt is the first message, and left out when it is empty', () => {
  const { params } = request({ role: 'user', parts: [textPart('Hi')] })
  expect(params.messages).toEqual([
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hi' },
  ])
  expect(toParams({ model: 'm', system: '', messages: [], tools: [], passages: [] }).params.messages).toEqual([])
})

it('a message with a picture is a list of parts, without an empty text', () => {
  const { params } = request(
    { role: 'user', parts: [textPart('Look'), image] },
    { role: 'user', parts: [textPart(''), image] },
  )
  expect(params.messages.slice(1)).toEqual([
    { role: 'user', content: [{ type: 'text', text: 'Look' }, shownImage] },
    { role: 'user', content: [shownImage] },
  ])
})

it('a recording is sent where its format is taken, else named as left out', () => {
  const audio = (media_type: string) => ({ type: 'audio' as const, media_type, base64: 'c25k' })
  const { params, warnings } = request({ role: 'user', parts: [audio('audio/mpeg'), audio('audio/ogg')] })
  expect(params.messages[1]?.content).toEqual([
    { type: 'input_audio', input_audio: { data: 'c25k', format: 'mp3' } },
    { type: 'text', text: '[A recording of type audio/ogg was left out.]' },
  ])
  expect(warnings).toEqual(["A recording of type 'audio/ogg' was left out"])
})

it('results are one message each, and their pictures follow after all of them', () => {
  const result = (call_id: string, ...content: (ReturnType<typeof textPart> | typeof image)[]) => ({
    type: 'tool_result' as const,
    call_id,
    name: 'look',
    content,
    is_error: false,
  })
  const { params } = request({
    role: 'tool',
    parts: [result('a', textPart('one'), image), result('b', textPart('two'))],
  })
  expect(params.messages.slice(1)).toEqual([
    { role: 'tool', tool_call_id: 'a', content: 'one' },
    { role: 'tool', tool_call_id: 'b', content: 'two' },
    { role: 'assistant', content: '(The pictures of the results follow.)' },
    { role: 'user', content: [{ type: 'text', text: 'Pictures in the answers of the tools:' }, shownImage] },
  ])
})

it('reasoning and metadata of a call go back in the fields in which they came', () => {
  const extra_content = { google: { thought_signature: 's' } }
  const { params } = request({
    role: 'assistant',
    parts: [
      { type: 'reasoning', text: 'Hm.', metadata: { field: 'reasoning' } },
      textPart('Let me count.'),
      { type: 'tool_call', id: 'a', name: 'count', arguments: '{}', metadata: { extra_content } },
    ],
  })
  expect(params.messages[1]).toEqual({
    role: 'assistant',
    content: 'Let me count.',
    reasoning: 'Hm.',
    tool_calls: [{ id: 'a', type: 'function', function: { name: 'count', arguments: '{}' }, extra_content }],
  })
})

it('reasoning without a call, or of unknown origin, is not sent', () => {
  const { params } = request(
    {
      role: 'assistant',
      parts: [{ type: 'reasoning', text: 'Hm.', metadata: { field: 'reasoning' } }, textPart('Hi')],
    },
    {
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'Hm.' },
        { type: 'tool_call', id: 'a', name: 'count', arguments: '{}' },
      ],
    },
  )
  expect(JSON.stringify(params.messages)).not.toContain('Hm.')
})

it('each call has an id of its own, each result the id of its call, and no call empty arguments', () => {
  const call = (id: string, args: string) => ({ type: 'tool_call' as const, id, name: 'count', arguments: args })
  const result = (call_id: string, text: string) => ({
    type: 'tool_result' as const,
    call_id,
    name: 'count',
    content: [textPart(text)],
    is_error: false,
  })
  const { params } = request(
    { role: 'assistant', parts: [call('a', ''), call('a', '{}'), call('', '{"n":1}')] },
    { role: 'tool', parts: [result('a', '1'), result('a', '2'), result('', '3')] },
    { role: 'assistant', parts: [call('a', '{}')] },
    { role: 'tool', parts: [result('a', '4')] },
  )
  const sent = params.messages.flatMap((message): unknown[][] => {
    if (message.role === 'tool') return [[message.tool_call_id, message.content]]
    if (message.role !== 'assistant') return []
    return message.tool_calls!.map((each) => [each.id, each.type === 'function' && each.function.arguments])
  })
  expect(sent).toEqual([
    ['a', '{}'],
    ['call00001', '{}'],
    ['call00002', '{"n":1}'],
    ['a', '1'],
    ['call00001', '2'],
    ['call00002', '3'],
    ['call00003', '{}'],
    ['call00003', '4'],
  ])
})
