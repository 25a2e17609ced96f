// What each kind of failed model call means.
import { expect, test } from 'vitest'
import { kindOfStatus, MAX_RETRY_AFTER_MS, parseRetryAfter, ProviderFailure, redact } from '../../providers/failure.ts'

test.each([408, 409, 429, 500, 502, 503, 529])('%i is worth asking again', (status) => {
  expect(kindOfStatus(status)).toBe('retry')
})

test.each([400, 401, 403, 404, 413, 422])('%i is final', (status) => {
  expect(kindOfStatus(status)).toBe('final')
})

test('Retry-After is read as seconds and as a date', () => {
  expect(parseRetryAfter('2')).toBe(2_000)
  const now = Date.parse('2026-11-23T10:00:00Z')
  expect(parseRetryAfter('Mon, 23 Nov 2026 10:00:05 GMT', now)).toBe(5_000)
})

test.each([undefined, null, '', 'soon', '-3'])('Retry-After %j is no delay', (value) => {
  expect(parseRetryAfter(value)).toBeUndefined()
})

test('a provider cannot make us wait longer than the cap', () => {
  expect(new ProviderFailure('retry', 'busy', { provider: 'openai', retryAfter: 3_600_000 }).retryAfter).toBe(
    MAX_RETRY_AFTER_MS,
  )
})

test('a credential that the provider repeats is taken out of its words', () => {
  expect(redact('Incorrect API key provided: sk-secret', 'sk-secret')).toBe('Incorrect API key provided: [redacted]')
})
