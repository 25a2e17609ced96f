// Postgres notifies other processes of small events with their content, and of stop requests on a separate channel.
import type { Kysely } from 'kysely'
import { differencesOf } from '../dialect.ts'

export async function up(db: Kysely<any>): Promise<void> {
  await differencesOf(db).announceEvents(db)
  await differencesOf(db).announceStops(db, 'turns')
  await differencesOf(db).announceStops(db, 'jobs')
}
