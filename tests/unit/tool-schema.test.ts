// Schemas of tools as they are offered to models.
import { expect, it } from 'vitest'
import { toOfferedSchema } from '../../contracts/tool-schema.ts'

const TEXT = { type: 'string' }

it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
  ['an empty schema', {}, { type: 'object', properties: {} }],
  ['an object without properties', { type: 'object' }, { type: 'object', properties: {} }],
  [
    'a list of types',
    { type: ['object', 'null'], properties: { a: TEXT } },
    { type: 'object', properties: { a: TEXT } },
  ],
  [
    'alternatives at the top level',
    { type: 'object', anyOf: [{ properties: { a: TEXT }, required: ['a'] }, { properties: { b: TEXT } }] },
    { type: 'object', properties: { a: TEXT, b: TEXT } },
  ],
  [
    'allOf at the top level',
    { allOf: [{ properties: { a: TEXT }, required: ['a'] }], properties: { b: TEXT }, required: ['b'] },
    { type: 'object', properties: { a: TEXT, b: TEXT }, required: ['a', 'b'] },
  ],
  [
    'alternatives of a property',
    { type: 'object', properties: { a: { anyOf: [TEXT, { type: 'null' }] } } },
    { type: 'object', properties: { a: { anyOf: [TEXT, { type: 'null' }] } } },
  ],
  [
    'a boolean schema',
    { type: 'object', properties: { a: true, b: false } },
    { type: 'object', properties: { a: {}, b: {} } },
  ],
  [
    'an array without items',
    { type: 'object', properties: { a: { type: 'array' }, b: { type: ['array', 'null'] } } },
    { type: 'object', properties: { a: { type: 'array', items: {} }, b: { type: ['array', 'null'], items: {} } } },
  ],
  [
    'items true, and a list of items',
    { type: 'object', properties: { a: { type: 'array', items: true }, b: { type: 'array', items: [TEXT] } } },
    { type: 'object', properties: { a: { type: 'array', items: {} }, b: { type: 'array', items: {} } } },
  ],
  [
    'additionalProperties false',
    { type: 'object', properties: {}, additionalProperties: false },
    { type: 'object', properties: {}, additionalProperties: false },
  ],
  [
    'a property named like a keyword',
    { type: 'object', properties: { anyOf: TEXT, items: { type: 'array', items: TEXT } } },
    { type: 'object', properties: { anyOf: TEXT, items: { type: 'array', items: TEXT } } },
  ],
])('%s is offered as an object that every vendor accepts', (_, schema, offered) => {
  expect(toOfferedSchema(schema)).toEqual(offered)
})

it('levels beyond the limit are offered as anything', () => {
  let schema: Record<string, unknown> = TEXT
  for (let level = 0; level < 40; level += 1) schema = { type: 'object', properties: { a: schema } }
  expect(JSON.stringify(toOfferedSchema(schema)).match(/properties/g)).toHaveLength(16)
})

it('the original is left as it is', () => {
  const schema = { type: 'object', properties: { a: { type: 'array' } } }
  toOfferedSchema(schema)
  expect(schema).toEqual({ type: 'object', properties: { a: { type: 'array' } } })
})
