// Which connection strings stand for long-term memory in the main database, and which are refused.
import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { isMainDatabase, shownConnection } from '../../contracts/main-database.ts'

const sqlite = { sqlite_file: '/srv/data/muxi.db' }
const postgres = { ...sqlite, database_url: 'postgres://u:p@db/muxi' }
const at = (path: string) => resolve('/srv', path)

it.each([
  ['sqlite:///data/muxi.db', sqlite, true],
  ['sqlite:////srv/data/muxi.db', sqlite, true],
  ['sqlite:///other.db', sqlite, false],
  ['sqlite:///data/muxi.db', postgres, false],
  ['postgresql://u:p@db/muxi', postgres, true],
  ['postgresql://u:p@db/other', postgres, false],
  ['postgresql://u:p@db/muxi', sqlite, false],
  ['mongodb://db/muxi', postgres, false],
])('%s', (text, database, isMain) => {
  expect(isMainDatabase(text, database, at)).toBe(isMain)
})

it('shows no part of a refused connection string but its scheme', () => {
  expect(shownConnection('mongodb://u:secret@db/x')).toBe('another one that begins with mongodb://')
  expect(shownConnection('secret')).toBe('something else')
})
