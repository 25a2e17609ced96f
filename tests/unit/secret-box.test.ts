// Encryption of stored credentials.
import { expect, test } from 'vitest'
import { SecretBox } from '../../db/secret-box.ts'

const box = new SecretBox('a key of at least thirty-two characters')

test('an encrypted value decrypts under its name, and never looks the same twice', () => {
  const sealed = box.seal('agent/a/1/model.api_key', 'sk-secret')
  expect(box.open('agent/a/1/model.api_key', sealed)).toBe('sk-secret')
  expect(sealed).not.toContain('sk-secret')
  expect(box.seal('agent/a/1/model.api_key', 'sk-secret')).not.toBe(sealed)
})

test('a value moved to another name, changed, or opened with another key does not open', () => {
  const sealed = box.seal('one', 'value')
  const changed = Buffer.from(sealed, 'base64')
  changed[changed.length - 1]! ^= 1
  expect(() => box.open('two', sealed)).toThrow('Cannot decrypt')
  expect(() => box.open('one', changed.toString('base64'))).toThrow('Cannot decrypt')
  expect(() => new SecretBox('another key, long enough to be one').open('one', sealed)).toThrow('MUXI_SECRET_KEY')
})

test('a session names its key until it expires', () => {
  expect(box.openSession(box.sealSession('key_1', 60))).toBe('key_1')
  expect(box.openSession(box.sealSession('key_1', -1))).toBeUndefined()
  expect(box.openSession('nonsense')).toBeUndefined()
})

test('a pseudonym is stable, and says nothing without the key', () => {
  expect(box.pseudonym('ada')).toBe(box.pseudonym('ada'))
  expect(box.pseudonym('ada')).not.toContain('ada')
})
