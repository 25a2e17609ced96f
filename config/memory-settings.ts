// USE_LONG_TERM_MEMORY, in the forms of the MUXI framework: yes or no, or a connection string.
import { resolve } from 'node:path'
import { isMainDatabase, MAIN_DATABASE, shownConnection, type MainDatabase } from '../contracts/main-database.ts'
import type { SettingReader } from './setting-reader.ts'

const NAME = 'USE_LONG_TERM_MEMORY'

/** The name of the variable that holds the address of the Postgres database. */
export function databaseName(read: SettingReader): string {
  const names = ['DATABASE_URL', 'POSTGRES_DATABASE_URL']
  const isPostgres = /^postgres(ql)?:\/\//.test(read.text(NAME) ?? '')
  return names.find((name) => read.text(name) !== undefined) ?? (isPostgres ? NAME : names[0]!)
}

/** Whether agents that do not say so have long-term memory. */
export function readLongTermMemory(read: SettingReader, database: MainDatabase, cwd: string): boolean {
  const text = read.text(NAME)
  if (text === undefined || !text.includes('://')) return read.flag(NAME, false)
  if (isMainDatabase(text, database, (path) => resolve(cwd, path))) return true
  read.fault(NAME, MAIN_DATABASE, shownConnection(text))
  return false
}
