// Context memory as data: what a merge changes, what a deletion leaves, and what is refused.
import { describe, expect, it } from 'vitest'
import { parseExact } from '../../contracts/exact-json.ts'
import { deleteFields, knowledgeFault, mergeKnowledge, type Knowledge } from '../../contracts/knowledge.ts'

const KNOWN = { name: 'Anna', location: { city: 'Bern', country: 'CH' }, pets: ['cat'] }

describe('mergeKnowledge()', () => {
  it('merges nested objects and tells the dotted paths of the fields that were set', () => {
    const { knowledge, changed } = mergeKnowledge(KNOWN, {
      location: { city: 'Basel', street: { name: 'Rheinweg' } },
      age: 40,
    })
    expect(knowledge).toEqual({
      ...KNOWN,
      location: { city: 'Basel', country: 'CH', street: { name: 'Rheinweg' } },
      age: 40,
    })
    expect(changed).toEqual(['location.city', 'location.street.name', 'age'])
    expect(KNOWN.location.city).toBe('Bern')
  })

  it('replaces lists, scalars and objects that meet another kind of value', () => {
    expect(mergeKnowledge(KNOWN, { pets: ['dog'], location: 'Bern', name: { first: 'Anna' } })).toEqual({
      knowledge: { name: { first: 'Anna' }, location: 'Bern', pets: ['dog'] },
      changed: ['pets', 'location', 'name.first'],
    })
  })

  it('keeps null and false, and changes nothing by an empty object', () => {
    expect(mergeKnowledge(KNOWN, { location: {}, name: null, ok: false })).toEqual({
      knowledge: { ...KNOWN, name: null, ok: false },
      changed: ['name', 'ok'],
    })
  })

  it('does not take inherited properties for fields', () => {
    const { knowledge, changed } = mergeKnowledge({}, JSON.parse('{"constructor": {"prototype": 1}, "toString": 2}'))
    expect(Object.entries(knowledge)).toEqual([
      ['constructor', { prototype: 1 }],
      ['toString', 2],
    ])
    expect(changed).toEqual(['constructor.prototype', 'toString'])
  })
})

describe('deleteFields()', () => {
  it('deletes dotted paths, and objects that become empty by it', () => {
    expect(deleteFields(KNOWN, ['location.city', 'location.country', 'pets'])).toEqual({
      knowledge: { name: 'Anna' },
      deleted: ['location.city', 'location.country', 'pets'],
    })
  })

  it('tells only what existed', () => {
    expect(deleteFields(KNOWN, ['location.planet', 'name.first', 'toString', ''])).toEqual({
      knowledge: KNOWN,
      deleted: [],
    })
  })
})

describe('knowledgeFault()', () => {
  const deep = (depth: number): Record<string, unknown> => (depth === 1 ? { a: 1 } : { a: deep(depth - 1) })

  it.each([
    ['a key with a dot', { a: { 'b.c': 1 } }, 'a'],
    ['a key with a comma', { a: { 'b,c': 1 } }, 'a'],
    ['a key that begins with a space', { ' a': 1 }, ''],
    ['a key that ends with a space', { 'a ': 1 }, ''],
    ['a number that is too large', parseExact('{"a": {"b": 1e400}}'), 'a.b'],
    ['a number that is too small', parseExact('{"a": -1e-400}'), 'a'],
    ['a whole number with too many digits', parseExact('{"a": [0, {"b": 12345678901234567890}]}'), 'a.1.b'],
    ['the first whole number that is rounded', parseExact('{"a": 9007199254740993}'), 'a'],
    ['a fraction with too many digits', parseExact('{"a": 3.14159265358979323846}'), 'a'],
    ['infinity', { a: [Infinity] }, 'a.0'],
    ['a number in place of all', parseExact('1e400'), ''],
    ['an empty key', { '': 1 }, ''],
    ['a key with a control character', { 'a\u0000': 1 }, ''],
    ['a prototype', JSON.parse('{"__proto__": {"admin": true}}'), ''],
    ['a key that is too long', { ['k'.repeat(129)]: 1 }, ''],
    ['an object that is too deep', deep(9), 'a.a.a.a.a.a.a.a'],
  ])('refuses %s', (_, knowledge, path) => {
    expect(knowledgeFault(knowledge as Knowledge)).toMatchObject({ path })
  })

  it('takes the deepest object that is allowed, and names in any script', () => {
    expect(knowledgeFault(deep(8))).toBeUndefined()
    const numbers = '{"a": [0.10000000000000001, 1e300, 100000000000000000000, -0.0, 5e-324, 9007199254740992]}'
    expect(knowledgeFault(parseExact(numbers) as Knowledge)).toBeUndefined()
    expect(knowledgeFault({ 'Größe in cm': 170, 名前: '安娜' })).toBeUndefined()
  })
})
