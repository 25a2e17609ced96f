// What bounds the work that a request can cause before it is refused.
import { Type } from '@sinclair/typebox'
import { describe, expect, it } from 'vitest'
import { readJson } from '../../api/json.ts'
import { fits } from '../../contracts/glob.ts'
import { responseSchemaFault } from '../../contracts/response-schema.ts'
import { JsonBounds, jsonBoundsFault, MAX_JSON_DEPTH, MAX_JSON_VALUES } from '../../contracts/json-bounds.ts'
import { canonicalJson } from '../../contracts/json.ts'
import { MuxiError } from '../../contracts/failures.ts'
import { invalid } from '../../api/errors.ts'
import { schemaFaults } from '../../contracts/schemas/faults.ts'

const bytes = (text: string) => Buffer.from(text)
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

describe('jsonBoundsFault()', () => {
  it('counts levels, and siblings once', () => {
    expect(jsonBoundsFault(bytes(nested(MAX_JSON_DEPTH)))).toBeUndefined()
    expect(jsonBoundsFault(bytes(nested(MAX_JSON_DEPTH + 1)))).toBe('JSON of at most 64 levels')
    expect(jsonBoundsFault(bytes('{"a":'.repeat(65)))).toBe('JSON of at most 64 levels')
    expect(jsonBoundsFault(bytes(`[${Array.from({ length: 300 }, () => nested(60)).join(',')}]`))).toBeUndefined()
  })

  it('counts values and keys', () => {
    const list = (length: number) => `[${Array.from({ length }, () => '1').join(',')}]`
    expect(jsonBoundsFault(bytes(list(MAX_JSON_VALUES - 1)))).toBeUndefined()
    expect(jsonBoundsFault(bytes(list(MAX_JSON_VALUES)))).toBe('JSON of at most 20000 values')
    const pairs = Array.from({ length: MAX_JSON_VALUES / 2 + 1 }, (_, index) => `"${index}":1`).join(',')
    expect(jsonBoundsFault(bytes(`{${pairs}}`))).toBe('JSON of at most 20000 values')
    expect(jsonBoundsFault(bytes(`[${'[],'.repeat(MAX_JSON_VALUES)}1]`))).toBe('JSON of at most 20000 values')
  })

  it('looks at no sign within text', () => {
    const text = JSON.stringify({ a: `${'['.repeat(200)}\\"[\\\\`, b: '"'.repeat(200_000), c: ','.repeat(200_000) })
    expect(jsonBoundsFault(bytes(text))).toBeUndefined()
    expect(jsonBoundsFault(bytes('"unended \\"'))).toBeUndefined()
  })
})

it('JsonBounds takes a text in any pieces', () => {
  const text = bytes(JSON.stringify({ a: 'x\\\\"[', b: [['"'], { c: '\\\\' }], d: 'y'.repeat(50) }).repeat(3))
  const levels = (size: number) => {
    const bounds = new JsonBounds()
    for (let at = 0; at < text.length; at += size) expect(bounds.take(text.subarray(at, at + size))).toBeUndefined()
    let more = 0
    while (bounds.take(bytes('[')) === undefined) more += 1
    return more
  }
  for (const size of [1, 2, 3, 7, 1_000]) expect(levels(size)).toBe(MAX_JSON_DEPTH)
})

describe('responseSchemaFault()', () => {
  const DRAFT_4 = 'http://json-schema.org/draft-04/schema#'
  const item = { type: 'object', properties: { next: { $ref: '#/$defs/item' }, own: { $ref: '#' } } }

  it.each<[Record<string, unknown>, string | undefined]>([
    [{ type: 'objekt' }, "a JSON Schema, in which 'type' must be equal to one of the allowed values"],
    [{ properties: { a: { minimum: '1' } } }, "a JSON Schema, in which 'properties.a.minimum' must be number"],
    [{ $ref: '#/nope' }, "a JSON Schema that has what its references name, got '#/nope'"],
    [
      { items: { $ref: 'https://example.com/a.json' } },
      "a JSON Schema that has what its references name, got 'https://example.com/a.json'",
    ],
    [{ $ref: '#/$defs/item', $defs: { item } }, undefined],
    [{ $ref: '#/$defs/a~1b%20c', $defs: { 'a/b c': true } }, undefined],
    [{ $ref: '#named', $defs: { a: { $anchor: 'named' } } }, undefined],
    [{ $ref: 'a.json', $defs: { a: { $id: 'a.json' } } }, undefined],
    [{ properties: { $ref: { const: { $ref: '#/nope' } } } }, undefined],
    [{ $schema: 'https://json-schema.org/draft/2020-12/schema', prefixItems: [true], items: false }, undefined],
    [
      { $schema: 'https://json-schema.org/draft/2020-12/schema', minItems: -1 },
      "a JSON Schema, in which 'minItems' must be >= 0",
    ],
    [{ $schema: DRAFT_4, minimum: 1, exclusiveMinimum: true }, undefined],
    [{}, undefined],
  ])('%j', (schema, fault) => {
    expect(responseSchemaFault(schema)).toBe(fault)
  })

  it('takes no longer for a schema at its bounds', () => {
    const properties = Object.fromEntries(Array.from({ length: 480 }, (_, n) => [`p${n}`, { $ref: '#/$defs/a' }]))
    const a = { properties: Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`q${n}`, { type: 'string' }])) }
    const repeated = { enum: Array.from({ length: 20_000 }, () => []) }
    const begun = performance.now()
    expect(responseSchemaFault({ properties, $defs: { a } })).toBeUndefined()
    responseSchemaFault(repeated)
    expect(performance.now() - begun).toBeLessThan(1_000)
  })
})

describe('readJson()', () => {
  it('refuses what is no UTF-8, no JSON or out of bounds, each in its own words', async () => {
    const read = (given: Uint8Array) => readJson(given, 'read the request: its body').catch((error: Error) => error)
    const refusals: [Uint8Array, string][] = [
      [Buffer.from([0x22, 0xff, 0x22]), 'UTF-8'],
      [bytes('{'), 'JSON'],
      [bytes(nested(100_000)), 'JSON of at most 64 levels'],
    ]
    for (const [given, expected] of refusals) {
      const failure = await read(given)
      expect(failure).toBeInstanceOf(MuxiError)
      expect((failure as Error).message).toBe(`Cannot read the request: its body must be ${expected}`)
    }
    expect(await read(bytes(' {"a":[1,"x"]} '))).toEqual({ a: [1, 'x'] })
  })
})

describe('texts that cannot be stored', () => {
  const read = (text: string) => readJson(bytes(text), 'read the request: its body')

  it('are refused by their path, and replaced where people paste them', async () => {
    for (const [text, path] of [
      ['{"a":["x",{"b":"\\u0000"}]}', 'a.1.b'],
      ['{"a":{"\\udc00\\ud800":1}}', 'a.\ufffd\ufffd'],
      ['{"__proto__":"\\ud800"}', '__proto__'],
      ['{"type":"chat","data":{"user_id":"\\ud800"}}', 'user_id'],
      ['{"data":"\\ud800"}', 'data'],
      [`{"a":"${'x'.repeat(200_000)}","b":"\\ud800"}`, 'b'],
    ] as const)
      await expect(read(text), text.slice(0, 50)).rejects.toMatchObject({
        code: 'bad_request',
        details: { fields: [{ path }] },
      })
    expect(await read('{"content":"\\ud800x\\u0000","messages":[{"__proto__":"\\u0000"}]}')).toEqual({
      content: '\ufffdx\ufffd',
      messages: [JSON.parse('{"__proto__":"\ufffd"}')],
    })
    expect(await read('{"data":{"content":"\\ud800"}}')).toEqual({ data: { content: '\ufffd' } })
    expect(await read('{"a":"\\ud83d\\ude00\\\\u0000"}')).toEqual({ a: '\u{1f600}\\u0000' })
  })
})

describe('schemaFaults()', () => {
  const closed = Type.Object({ a: Type.Optional(Type.String()) }, { additionalProperties: false })

  it('lists twenty faults at most, with paths of at most 100 characters', () => {
    const many = Object.fromEntries(Array.from({ length: 40_000 }, (_, index) => [`${'k'.repeat(1_000)}${index}`, 1]))
    const { message, details } = invalid('the request', schemaFaults(closed, many))
    expect(details?.['fields']).toHaveLength(20)
    expect(message.length).toBeLessThan(5_000)
  })

  it('does not look through a list that is too long', () => {
    const union = Type.Union([closed, Type.Object({ b: Type.String() })])
    const faults = schemaFaults(
      Type.Array(union, { maxItems: 2 }),
      Array.from({ length: 50_000 }, () => ({ b: 'x' })),
    )
    expect(faults).toEqual([{ path: [], kind: 'wrong', expected: 'a list of at most 2' }])
  })
})

it('fits() takes little time for any pattern', () => {
  const cases: [glob: string, name: string, fit: boolean][] = [
    ['*', '', true],
    ['a*', 'abc', true],
    ['*c', 'abc', true],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['a*b*c', 'axxbyyc', true],
    ['a*b*c', 'axxbyy', false],
    ['', 'a', false],
    ['a.c', 'abc', false],
    ['**a**', 'xay', true],
    ['*ab', 'aab', true],
    ['*a'.repeat(64), 'a'.repeat(127), true],
    [`${'*a'.repeat(63)}b`, 'a'.repeat(128), false],
  ]
  for (const [glob, name, fit] of cases) expect(fits(glob, name), `${glob} ${name}`).toBe(fit)
})

it('canonicalJson() gives equal values equal text', () => {
  expect(canonicalJson({ b: [{ y: 1, x: 2 }], a: '1' })).toBe('{"a":"1","b":[{"x":2,"y":1}]}')
  expect(canonicalJson({ 'a,': 1, a: 2 })).toBe(canonicalJson({ a: 2, 'a,': 1 }))
})

describe('responseSchemaFault()', () => {
  const nest = (levels: number): Record<string, unknown> => (levels === 1 ? {} : { not: nest(levels - 1) })
  const wide = (keys: number) => Object.fromEntries(Array.from({ length: keys }, (_, index) => [`k${index}`, true]))

  it('bounds levels, keys and bytes', () => {
    expect(responseSchemaFault({ type: 'object', properties: { a: { enum: [1, 2] } } })).toBeUndefined()
    expect(responseSchemaFault(nest(32))).toBeUndefined()
    expect(responseSchemaFault(nest(33))).toBe('a JSON Schema of at most 32 levels')
    expect(responseSchemaFault(wide(2_000))).toBeUndefined()
    expect(responseSchemaFault({ properties: wide(2_000) })).toBe('a JSON Schema of at most 2000 keys')
    expect(responseSchemaFault({ enum: ['x'.repeat(65_536)] })).toBe('a JSON Schema of at most 65536 bytes')
  })
})
