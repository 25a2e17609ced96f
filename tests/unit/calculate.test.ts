// What the calculator answers, and what it says of what it cannot calculate.
import { describe, expect, it, test } from 'vitest'
import { calculate, convert } from '../../mcp/servers/calculate.ts'

test.each([
  ['0.1 + 0.2', '0.3'],
  ['2^200', '1606938044258990275541962092341162602522202993782792835301376'],
  ['1/3', '0.333333333333333'],
  ['8% * 200', '16'],
  ['3×4−2÷1', '10'],
  ['sqrt(-4)', '2i'],
  ['sin(30 deg)', '0.5'],
  ['ln(e)', '1'],
  ['erf(0.5)', '0.520499877813047'],
  ['5 inch to cm', '12.7 cm'],
  ['60 mph to km/h', '96.56064 km / h'],
  ['20 degC to degF', '68 degF'],
  ['[1,2;3,4] * [5;6]', '[[17], [39]]'],
  ['eigs([2,0;0,3]).values', '[2, 3]'],
  ['fraction("1/3") + fraction("1/6")', '1/2'],
  ['3 > 2', 'true'],
  ['a = 6\nb = 7\na * b', '6\n7\n42'],
])('%s is %s', (expression, result) => {
  expect(calculate({ expression })).toEqual({ result })
})

describe('precision', () => {
  it('is as many right digits as were asked for', () => {
    expect(calculate({ expression: 'pi', precision: 50 }).result).toBe(
      '3.1415926535897932384626433832795028841971693993751',
    )
    expect(calculate({ expression: '100!', precision: 200 }).result).toMatch(/^933262154439441526816992388562\d{128}$/)
  })

  it('is never more than is known: a huge whole number is rounded where its digits are not', () => {
    expect(calculate({ expression: '100!' }).result).toBe('9.33262154439442e+157')
    expect(calculate({ expression: 'gamma(30.5)', precision: 40 }).result).toMatch(/^\d\.\d{1,14}e\+\d+$/)
  })
})

test.each([
  ['2 + * 3', 'Cannot calculate: Value expected, at character 5\n2 + * 3\n    ^'],
  ['1 + foo(3)', 'Cannot calculate: Undefined function foo, at character 5\n1 + foo(3)\n    ^'],
  ['a = 1\nb + x', 'Cannot calculate: Undefined symbol x, at line 2, character 5\nb + x\n    ^'],
  ['5 km + 3 s', 'Cannot calculate: Units do not match'],
  ['1/0', 'Cannot calculate: the result is not finite (a division by zero, or too large)'],
  ['9^9^9^9', 'Cannot calculate: the result is not finite (a division by zero, or too large)'],
  ['0/0', 'Cannot calculate: the result is not a number'],
  ['f(x) = x^2', 'Cannot calculate: a function was defined but not used'],
  ['a = 1;', 'Cannot calculate: every line ends with a semicolon, so there is no result'],
  ['  ', 'Cannot calculate: the expression is empty'],
  ['('.repeat(3_999), 'Cannot calculate: the expression is nested too deeply'],
  ['ones(100, 100)', 'Cannot calculate: the result has 30200 characters, at most 10000 can be shown'],
])('%s is an error that says what and where', (expression, message) => {
  expect(() => calculate({ expression })).toThrow(new Error(message))
})

test.each([
  'import({a: 1})',
  'createUnit("foo")',
  'config({number: "number"})',
  'parse("1")',
  'evaluate("1")',
  'reviver()',
  'simplify("x+x")',
  'derivative("x^2", "x")',
  'compile("1")',
  'parser()',
])('%s is not available', (expression) => {
  expect(() => calculate({ expression })).toThrow(
    /^Cannot calculate: Function \w+ is not available here, at character 1/,
  )
})

it('lets no expression reach the language it is written in', () => {
  for (const expression of ['"a".constructor', 'cos.constructor("return process")', '[].map.constructor'])
    expect(() => calculate({ expression })).toThrow(/^Cannot calculate: /)
})

it('knows nothing of an earlier expression', () => {
  calculate({ expression: 'mine = 3' })
  expect(() => calculate({ expression: 'mine' })).toThrow('Undefined symbol mine')
})

describe('convert', () => {
  it('converts a quantity', () => {
    expect(convert({ value: 98.6, from: 'degF', to: 'degC' })).toEqual({ result: '37 degC' })
    expect(convert({ value: 0.1, from: 'km', to: 'm' }).result).toBe('100 m')
  })

  it('names the unit it does not know, and those that do not fit', () => {
    expect(() => convert({ value: 1, from: 'foo', to: 'km' })).toThrow(
      /^Cannot convert: 'from' must be a unit .*got 'foo'/,
    )
    expect(() => convert({ value: 1, from: 'kg', to: 'm' })).toThrow(
      "Cannot convert: 'kg' and 'm' measure different things",
    )
  })
})
