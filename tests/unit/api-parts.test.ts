// Small parts of the API: resume numbers, allowed origins, events encoded once.
import { describe, expect, test } from 'vitest'
import type { StoredEvent } from '../../contracts/events.ts'
import { eventJson } from '../../api/event-json.ts'
import { Origins } from '../../api/origins.ts'
import { readLastEventId } from '../../api/sse.ts'

describe('readLastEventId()', () => {
  test('is 0 without a header', () => expect(readLastEventId(null)).toBe(0))
  test('is the number in the header', () => expect(readLastEventId('17')).toBe(17))
  test.each(['-1', '1.5', 'abc', '', '9'.repeat(20)])('refuses %j', (header) =>
    expect(() => readLastEventId(header)).toThrow(expect.objectContaining({ code: 'bad_request' })),
  )
})

describe('Origins', () => {
  const origins = new Origins(['https://muxi.example.org', undefined])
  test.each(['localhost:5050', '127.0.0.1:9', '[::1]:5050', 'muxi.example.org'])('answers to the host %s', (host) =>
    expect(() => origins.check(host, undefined)).not.toThrow(),
  )
  test.each(['evil.example.org', 'localhost.evil.org', '', undefined])('does not answer to the host %j', (host) =>
    expect(() => origins.check(host, undefined)).toThrow(expect.objectContaining({ code: 'forbidden' })),
  )
  test('refuses a page from elsewhere, also when it calls us by the right name', () =>
    expect(() => origins.check('localhost:5050', 'https://evil.example.org')).toThrow(
      expect.objectContaining({ code: 'forbidden' }),
    ))
  test('refuses the origin `null` of sandboxed pages', () =>
    expect(() => origins.check('localhost:5050', 'null')).toThrow())
  test('takes pages of its own and of loopback names', () =>
    expect(() => origins.check('localhost:5050', 'http://localhost:3000')).not.toThrow())
  test.each([
    ['https://muxi.example.org', true],
    ['http://muxi.example.org', false],
    ['https://muxi.example.org:8443', false],
    ['http://localhost:3000', false],
    ['null', false],
    ['', false],
  ])('takes %j for a configured origin: %j', (origin, expected) => expect(origins.isConfigured(origin)).toBe(expected))
  test('trusts its own pages with its cookie, by name and port, and configured ones', () => {
    expect(origins.trusts('http://localhost:5050', 'localhost:5050')).toBe(true)
    expect(origins.trusts('https://muxi.example.org', 'localhost:5050')).toBe(true)
    expect(origins.trusts('http://localhost:3000', 'localhost:5050')).toBe(false)
    expect(origins.trusts('http://127.0.0.1:5050', 'localhost:5050')).toBe(false)
    expect(origins.trusts('null', 'localhost:5050')).toBe(false)
  })
})

test('eventJson() encodes an event once, for any number of readers', () => {
  let encoded = 0
  const output = { toJSON: () => `encoded ${(encoded += 1)}` }
  const event: StoredEvent = { id: 1, type: 'tool_call_end', data: { id: 'call', output, is_error: false } }
  const texts = Array.from({ length: 500 }, () => eventJson(event))
  expect(new Set(texts)).toEqual(new Set(['{"id":"call","output":"encoded 1","is_error":false}']))
  expect(encoded).toBe(1)
})
