// The word check of lint.
import { describe, expect, it } from 'vitest'
import { findPhrases } from '../support/word-list.ts'

describe('findPhrases()', () => {
  it('reports line, phrase and suggestion, in any case', () => {
    expect(findPhrases('One line.\nNobody reads this.', false)).toEqual([
      { line: 2, phrase: 'Nobody', suggestion: expect.stringContaining('client') },
    ])
  })

  it('reports only whole words', () => {
    expect(findPhrases('strangers', false)).toHaveLength(1)
    expect(findPhrases('estranged', false)).toEqual([])
  })

  it('reads comments and sentences in strings of code, and neither identifiers nor names', () => {
    const code = "const nobody = 'nobody'\n// nobody\nthrow new Error('nobody waits')\n/**\n * Nobody.\n */"
    expect(findPhrases(code, true).map(({ line }) => line)).toEqual([2, 3, 5])
  })

  it('accepts a text in standard terms', () => {
    expect(findPhrases('// Lock ordering: sorted, so that two attempts cannot deadlock.', true)).toEqual([])
  })
})
