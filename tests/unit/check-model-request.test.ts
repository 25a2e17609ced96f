// The check of requests in tests: takes what strict servers take, and names each fault.
import { describe, expect, it } from 'vitest'
import { checkModelRequest } from '../support/check-model-request.ts'

const system = { role: 'system', content: 'Be brief.' }
const user = { role: 'user', content: 'Hi' }
const assistant = { role: 'assistant', content: 'Hello' }
const call = (id: string, more: object = {}) => ({
  id,
  type: 'function',
  function: { name: 'count', arguments: '{}', ...more },
})
const calling = (...calls: object[]) => ({ role: 'assistant', content: '', tool_calls: calls })
const result = (tool_call_id: string) => ({ role: 'tool', tool_call_id, content: '1' })
const tool = (name: string, parameters: unknown) => ({ type: 'function', function: { name, parameters } })
const picture = (url: string) => ({ role: 'user', content: [{ type: 'image_url', image_url: { url } }] })

describe('takes', () => {
  it.each([
    ['a first message', [user]],
    ['a conversation', [system, user, assistant, user]],
    ['results of several calls in any order', [user, calling(call('a'), call('b')), result('b'), result('a')]],
    ['steps one after the other', [user, calling(call('a')), result('a'), calling(call('b')), result('b')]],
    ['a picture', [picture('data:image/png;base64,cGlj')]],
  ])('%s', (_, messages) => expect(checkModelRequest({ messages })).toEqual([]))

  it('tools with schemas of objects', () =>
    expect(checkModelRequest({ messages: [user], tools: [tool('count', { type: 'object', properties: {} })] })).toEqual(
      [],
    ))
})

describe('refuses', () => {
  it.each([
    ['no messages', [], 'must be a list'],
    ['a second system message', [system, system, user], 'must be the first'],
    ['a later system message', [user, assistant, system, user], 'must be the first'],
    ['an unknown role', [{ role: 'function', content: 'x' }, user], 'unknown role'],
    ['two user messages in a row', [user, user], "must not follow role 'user'"],
    ['two assistant messages in a row', [user, assistant, assistant, user], "must not follow role 'assistant'"],
    ['an assistant message first', [system, assistant, user], "must not follow role 'system'"],
    ['a user message after a result', [user, calling(call('a')), result('a'), user], "must not follow role 'tool'"],
    ['an assistant message last', [user, assistant], 'the last role'],
    ['a blank message', [{ role: 'user', content: ' ' }], 'blank'],
    ['a reply without content', [user, { role: 'assistant', content: null }, user], 'must be text'],
    ['a call without a result', [user, calling(call('a')), user], 'calls without a result before it: a'],
    ['a call without a result at the end', [user, calling(call('a'), call('b')), result('a')], 'at the end: b'],
    ['a result without a call', [user, result('a')], 'answers no open call'],
    ['a second result', [user, calling(call('a')), result('a'), result('a')], 'answers no open call'],
    ['an id used twice in a step', [user, calling(call('a'), call('a')), result('a'), result('a')], 'used twice'],
    [
      'an id used again in a later step',
      [user, calling(call('a')), result('a'), calling(call('a')), result('a')],
      'used twice',
    ],
    ['an empty id', [user, calling(call('')), result('')], 'not empty'],
    ['an empty list of calls', [user, { ...assistant, tool_calls: [] }, user], 'left out'],
    ['arguments that are not JSON', [user, calling(call('a', { arguments: '{"x' })), result('a')], 'JSON text'],
    ['arguments that are a list', [user, calling(call('a', { arguments: '[]' })), result('a')], 'JSON text'],
    ['a name with spaces', [user, calling(call('a', { name: 'a b' })), result('a')], 'not allowed'],
    ['a picture of another type', [picture('data:image/svg+xml;base64,cGlj')], 'PNG, JPEG'],
    ['a picture without bytes', [picture('data:image/png;base64,')], 'PNG, JPEG'],
    ['an empty list of parts', [{ role: 'user', content: [] }], 'list of parts'],
  ])('%s', (_, messages, fault) => expect(checkModelRequest({ messages }).join('; ')).toContain(fault))

  it.each([
    ['a schema that is no object', [tool('count', true)], "type 'object'"],
    ['a schema of another type', [tool('count', { type: 'string' })], "type 'object'"],
    ['a name used twice', [tool('a', { type: 'object' }), tool('a', { type: 'object' })], 'used twice'],
    ['no tools in the list', [], 'left out'],
  ])('tools: %s', (_, tools, fault) =>
    expect(checkModelRequest({ messages: [user], tools }).join('; ')).toContain(fault),
  )
})
