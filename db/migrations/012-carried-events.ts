// Postgres tells other processes of small events with their words, and of stops on a channel of their own.
import type { Kysely } from 'kysely'
import { differencesOf } from '../dialect.ts'

export async function up(db: Kysely<any>): Promise<void> {
  await differencesOf(db).announceEvents(db)
  await differencesOf(db).announceStops(db, 'turns')
  await differencesOf(db).announceStops(db, 'jobs')
}
