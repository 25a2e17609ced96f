import { expect, it } from 'vitest'
import { slowestFiles } from '../support/slowest-files.ts'

const file = (name: string, duration: number) => ({
  relativeModuleId: `tests/${name}.test.ts`,
  project: { name: 'e2e' },
  diagnostic: () => ({ duration }),
})

it('the slowest files come first, and no more than were asked for', () => {
  const files = [file('a', 900), file('b', 74_793), file('c', 5_000)]
  expect(slowestFiles(files, 2)).toEqual([
    '  74.8 s  e2e         tests/b.test.ts',
    '   5.0 s  e2e         tests/c.test.ts',
  ])
})
