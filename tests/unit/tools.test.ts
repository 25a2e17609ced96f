// The built-in tools and the check of their arguments.
import { describe, expect, test } from 'vitest'
import { currentTime, tellTime } from '../../activities/tools/current-time.ts'
import { readArguments } from '../../contracts/arguments.ts'

describe('current_time', () => {
  const now = new Date('2026-11-23T10:00:00Z')
  test('tells a moment in a time zone', () => {
    expect(tellTime(now, 'Europe/Berlin')).toMatchObject({
      iso: '2026-11-23T10:00:00.000Z',
      local: expect.stringContaining('11:00:00'),
    })
  })
  test('says what is wrong with an unknown zone', () => {
    expect(() => tellTime(now, 'Mars/Olympus')).toThrow("'time_zone' must be an IANA time zone, got 'Mars/Olympus'")
  })
})

describe('readArguments()', () => {
  test('compiles a part that is named very often once', () => {
    const many = (count: number, each: object) => Object.fromEntries(Array.from({ length: count }, (_, n) => [n, each]))
    const part = { type: 'object', properties: many(200, { type: 'string' }) }
    const parameters = { properties: many(200, { $ref: '#/$defs/part' }), $defs: { part } }
    const begun = performance.now()
    expect(readArguments({ name: 'large', parameters }, '{"7":{"8":9}}')).toMatchObject({
      fault: expect.stringContaining('must be string'),
    })
    expect(performance.now() - begun).toBeLessThan(2_500)
  })
  test('takes nothing as no arguments', () => expect(readArguments(currentTime, '')).toEqual({ parameters: {} }))
  test('gives what fits', () =>
    expect(readArguments(currentTime, '{"time_zone":"UTC"}')).toEqual({ parameters: { time_zone: 'UTC' } }))
  test.each(['{"time_zone":', '{"time_zone":3}', '{"zone":"UTC"}', '[]', 'null'])(
    'tells the model what is wrong with %s',
    (text) =>
      expect(readArguments(currentTime, text)).toEqual({
        fault: expect.stringContaining("Cannot call 'current_time'"),
      }),
  )
})
