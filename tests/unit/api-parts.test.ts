// Small parts of the API: resume numbers, allowed origins.
import { describe, expect, test } from 'vitest'
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
})
