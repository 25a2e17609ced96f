// Digits of numbers through JSON, and the texts of tools and documents that are made from it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readArguments } from '../../contracts/arguments.ts'
import { isRawNumber, parseExact, rounded } from '../../contracts/exact-json.ts'
import { canonicalJson } from '../../contracts/json.ts'
import { readAnswer } from '../../mcp/result.ts'
import { readJson } from '../../media/document/readers/json.ts'

const LONG = [
  '12345678901234567890',
  '-12345678901234567890',
  '9007199254740993',
  '0.1000000000000000055',
  '1e400',
  '-1E+400',
  '1e-400',
  '123456789.123456789123456789',
  '1.00000000000000000000000000000000000000001',
]

const folder = mkdtempSync(join(tmpdir(), 'muxi-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('parseExact()', () => {
  it.each(LONG)('keeps the digits of %s anywhere in a value', (number) => {
    for (const text of [number, `[${number}]`, `{"a":${number}}`, `{"a":[1,{"b":${number}}],"c":"${number}"}`]) {
      expect(JSON.stringify(parseExact(text))).toBe(text)
      expect(JSON.stringify(parseExact(`\n ${text} `))).toBe(text)
    }
  })

  it.each([
    '0',
    '-0',
    '1.50',
    '1e2',
    '0.1',
    '9007199254740992',
    '1.0000000000000000000',
    '100000000000000000000',
    '5e-324',
  ])('gives %s as a number, as JSON.parse does', (number) =>
    expect(parseExact(`[${number}]`)).toEqual(JSON.parse(`[${number}]`)),
  )

  it('takes linear time for a number of a million digits', () => {
    const number = `1.${'0'.repeat(1_000_000)}1`
    const started = process.threadCpuUsage()
    expect(JSON.stringify(parseExact(`[${number}]`)) === `[${number}]`).toBe(true)
    expect(process.threadCpuUsage(started).user / 1_000).toBeLessThan(2_000)
  })

  it('gives every other value as JSON.parse does', () => {
    const text = '{"__proto__":{"a":1},"b":["1e400",null,true,{"":"\\u0000"}],"n":1e400}'
    const value = parseExact(text) as Record<string, unknown>
    expect(Object.keys(value)).toEqual(['__proto__', 'b', 'n'])
    expect(value['b']).toEqual(['1e400', null, true, { '': '\0' }])
    expect(isRawNumber(value['n'])).toBe(true)
    expect(() => parseExact('{"a":1e400')).toThrow(SyntaxError)
  })

  it('rounds for checks to a finite number', () => {
    expect(rounded(parseExact('{"a":[12345678901234567890,1e400,-1e400,"x"]}'))).toEqual({
      a: [12345678901234567000, Number.MAX_VALUE, -Number.MAX_VALUE, 'x'],
    })
  })
})

describe('what is made from parsed JSON', () => {
  it.each(LONG)('keeps %s in the arguments of a tool, and checks them as a number', (number) => {
    const parameters = { type: 'object', properties: { n: { type: 'number' } }, additionalProperties: false }
    const read = readArguments({ name: 't', parameters }, `{"n":${number}}`)
    expect(JSON.stringify(read)).toBe(`{"parameters":{"n":${number}}}`)
    const text = { type: 'object', properties: { n: { type: 'string' } } }
    expect(readArguments({ name: 't', parameters: text }, `{"n":${number}}`)).toHaveProperty('fault')
  })

  it.each(LONG)('keeps %s in canonical JSON, in structured results and in documents', async (number) => {
    const value = parseExact(`{"b":${number},"a":1}`)
    expect(canonicalJson(value)).toBe(`{"a":1,"b":${number}}`)
    const structuredContent = value as Record<string, unknown>
    expect(readAnswer({ content: [], structuredContent }).parts).toEqual([`{"b":${number},"a":1}`])
    const path = join(folder, 'document.json')
    for (const [json, markdown] of [
      [`{"n":${number}}`, `- n: ${number}`],
      [`[${number}]`, `- ${number}`],
      [`[{"n":${number}},{"n":1}]`, `| ${number} |`],
      [`{"n":1}\n{"n":${number}}\n`, `| ${number} |`],
    ] as const) {
      writeFileSync(path, json)
      expect((await readJson(path)).map(({ text }) => text).join('\n')).toContain(markdown)
    }
  })
})
