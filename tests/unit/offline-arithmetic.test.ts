// Which questions the offline model takes to a calculator, and how.
import { describe, expect, test } from 'vitest'
import { convert } from '../../mcp/servers/calculate.ts'
import { readConversion, readExpression } from '../../providers/offline-arithmetic.ts'

describe('readExpression()', () => {
  test.each([
    ['what is 12.5% of 89.90?', '12.5% * 89.90'],
    ['What’s 2+2', '2+2'],
    ['Calculate 3 x (4 + 5), please.', '3 * (4 + 5)'],
    ['Hello! Could you tell me what is the square root of 2?', 'sqrt(2)'],
    ['12 divided by 5 plus 3 times 2', '12 / 5 + 3 * 2'],
    ['how much is 1,234,567.50 − 0.5', '1234567.50 - 0.5'],
    ['2 to the power of 200', '2 ^ 200'],
    ['What is 20!?', '20!'],
    ['17 mod 5 =', '17 mod 5'],
    ['I bought three. How much is $4.50 * 3?', '4.50 * 3'],
    ['15 percent of $80', '15% * 80'],
    ['sin(45 deg)', 'sin(45 deg)'],
    ['mean(1, 2, 3.5)', 'mean(1, 2, 3.5)'],
  ])('%j', (question, expression) => expect(readExpression(question)).toBe(expression))

  test.each([
    'Hello',
    'What is 42?',
    'What is the meaning of life?',
    'Tell me about the F-16 and the 747-8',
    '2026-11-23',
    'What happened on 2026-11-23?',
    'How much is the fish?',
    'Is 7 > 5?',
    'room 12, floor 3',
    `what is ${'1+'.repeat(300)}1`,
  ])('leaves %j alone', (question) => expect(readExpression(question)).toBeUndefined())
})

describe('readConversion()', () => {
  test.each([
    ['3 miles in km', 3, 'miles', 'km'],
    ['Convert 72.5 Fahrenheit to Celsius.', 72.5, 'degF', 'degC'],
    ['what is -40 °C in °F?', -40, 'degC', 'degF'],
    ['How many feet are 2 metres?', 2, 'metres', 'feet'],
    ['how many inches are there in 3 feet', 3, 'feet', 'inches'],
    ['1,500 MB to GiB', 1500, 'MB', 'GiB'],
    ['100 km/h in miles per hour', 100, 'km/h', 'miles/hour'],
    ['5 acres in square metres', 5, 'acres', 'metres^2'],
    ['20 degrees Celsius to degrees Fahrenheit', 20, 'degC', 'degF'],
    ['10 nautical miles in kilometres', 10, 'nauticalmile', 'kilometres'],
  ])('%j, in units that the calculator knows', (question, value, from, to) => {
    expect(readConversion(question)).toEqual({ value, from, to })
    expect(convert({ value, from, to }).result).toMatch(/^-?\d/)
  })

  test.each(['3 weeks in the house', 'I was in Paris', 'how many people are in 3 big houses', '2 + 2', 'Hello'])(
    'leaves %j alone',
    (question) => expect(readConversion(question)).toBeUndefined(),
  )
})
