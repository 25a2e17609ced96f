// A conversation cut to a context window: the oldest exchanges go, tool exchanges stay whole.
import { expect, it } from 'vitest'
import { fitToWindow } from '../../activities/turn/fit-window.ts'
import { estimateTokens } from '../../contracts/tokens.ts'
import { textPart, type ModelMessage } from '../../contracts/model-messages.ts'
import { seeded } from '../support/seeded.ts'

const user = (text: string): ModelMessage => ({ role: 'user', parts: [textPart(text)] })
const reply = (text: string): ModelMessage => ({ role: 'assistant', parts: [textPart(text)] })
const call = (id: string): ModelMessage => ({
  role: 'assistant',
  parts: [{ type: 'tool_call', id, name: 'look', arguments: '{}' }],
})
const result = (call_id: string, text: string): ModelMessage => ({
  role: 'tool',
  parts: [{ type: 'tool_result', call_id, name: 'look', content: [textPart(text)], is_error: false }],
})
const long = (character: string) => character.repeat(4_000)
const fit = (messages: ModelMessage[], window?: number, material_rule?: string) =>
  fitToWindow({ system: 'S', tools: [], messages, material_rule }, window)

it('nothing is cut that fits, or whose window is not known', () => {
  const messages = [user(long('a')), reply(long('b')), user('Q')]
  expect(fit(messages, 10_000)).toMatchObject({ messages, left_out: 0 })
  expect(fit(messages)).toEqual({ system: 'S', messages, left_out: 0, without_material: false })
})

it('the oldest exchanges are left out, the question never', () => {
  const messages = [user(long('a')), reply(long('b')), user(long('c')), reply(long('d')), user('Q')]
  expect(fit(messages, 4_000)).toMatchObject({ messages: messages.slice(2), left_out: 2 })
  expect(fit(messages, 1_000)).toMatchObject({ messages: messages.slice(4), left_out: 4 })
  expect(fit([user(long('q'))], 10).messages).toHaveLength(1)
})

it('the calls of the current turn keep their results, which are shortened, the oldest first', () => {
  const messages = [
    user('old'),
    reply('old'),
    user('Q'),
    call('a'),
    result('a', long('x')),
    call('b'),
    result('b', long('y')),
  ]
  const { messages: kept, left_out } = fit(messages, 2_400)
  expect(left_out).toBe(0)
  expect(kept.map(({ role }) => role)).toEqual(messages.map(({ role }) => role))
  const sizes = kept.filter(({ role }) => role === 'tool').map((message) => JSON.stringify(message).length)
  expect(sizes[0]).toBeLessThan(sizes[1]!)
  expect(JSON.stringify(kept)).toContain('did not fit into the context window')
})

it('a long result of a tool does not push the conversation out', () => {
  const messages = [user('old'), reply('old'), user('Q'), call('a'), result('a', long('x').repeat(10))]
  const { messages: kept, left_out } = fit(messages, 4_000)
  expect(left_out).toBe(0)
  expect(kept.slice(0, 4)).toEqual(messages.slice(0, 4))
  expect(JSON.stringify(kept[4])).toContain('did not fit into the context window')
})

it('recalled material outlives older exchanges, and goes with the rule about it', () => {
  const messages = [user(long('a')), reply(long('b')), user(long('m')), reply('(Received.)'), user('Q')]
  expect(fit(messages, 2_000, 'RULE')).toMatchObject({
    system: 'S\n\nRULE',
    messages: messages.slice(2),
    left_out: 2,
    without_material: false,
  })
  expect(fit(messages, 1_000, 'RULE')).toMatchObject({
    system: 'S',
    messages: messages.slice(4),
    left_out: 2,
    without_material: true,
  })
})

it('tells how many tokens are left for the reply', () => {
  const { output_room } = fit([user(long('a'))], 2_000)
  expect(output_room).toBeGreaterThan(900)
  expect(output_room).toBeLessThan(1_000)
})

it('whatever the conversation and the window: a user begins, every call has its result, the question stays', () => {
  const random = seeded(7)
  const text = () => 'w '.repeat(Math.floor(random() * 800))
  for (let round = 0; round < 300; round += 1) {
    const messages = Array.from({ length: Math.floor(random() * 6) }, () => [user(text()), reply(text())]).flat()
    messages.push(user(`Q${round}`))
    for (let step = 0; step < random() * 4; step += 1) messages.push(call(`c${step}`), result(`c${step}`, text()))
    const { messages: kept, left_out } = fit(messages, 50 + Math.floor(random() * 3_000))
    expect(kept[0]!.role).toBe('user')
    expect(kept).toContainEqual(user(`Q${round}`))
    expect(kept.length + left_out).toBe(messages.length)
    const ids = (type: string) =>
      kept.flatMap(({ parts }) =>
        parts.flatMap((part) =>
          part.type === type ? ['id' in part ? part.id : (part as { call_id: string }).call_id] : [],
        ),
      )
    expect(ids('tool_call')).toEqual(ids('tool_result'))
  }
})

it('other scripts have more tokens a character', () => {
  expect(estimateTokens('word'.repeat(100))).toBe(100)
  expect(estimateTokens('言葉'.repeat(100))).toBe(154)
})
