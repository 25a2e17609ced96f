import { expect, it } from 'vitest'
import { fromBase64 } from '../../contracts/base64.ts'

it.each(['', 'a', 'ab', 'abc', 'hello world', '\u0000\u00ff'])(
  'fromBase64() reads %j, with padding and without',
  (text) => {
    const bytes = Buffer.from(text)
    const padded = bytes.toString('base64')
    expect(fromBase64(padded)).toEqual(bytes)
    expect(fromBase64(padded.replace(/=+$/, ''))).toEqual(bytes)
  },
)

it.each(['a', 'aGVsbG8gd29yb', 'YQ=', 'YQ===', '=', 'YWI==', 'aG-_', 'aGVs bG8=', 'aGVs\nbG8='])(
  'fromBase64() refuses %j',
  (text) => expect(fromBase64(text)).toBeUndefined(),
)
