// A job that goes no further than a test lets it: the database refuses what comes after, and the workers try again.
import type { Stage } from './stage.ts'

/** What a job stores piece by piece. */
const PIECES = {
  batches: { table: 'job_batches', column: 'pages', number: 'batch' },
  scans: { table: 'ocr_pages', column: 'read', number: 'page' },
}

/**
 * Lets jobs store their batches of pages, or their scanned pages, up to a number and none after it.
 * @returns lets them go on
 */
export async function holdAfter(stage: Stage, pieces: keyof typeof PIECES, last: number): Promise<() => Promise<void>> {
  const { table, column, number } = PIECES[pieces]
  const when = `old.${column} is null and new.${column} is not null and new.${number} > ${last}`
  await stage.write({
    sqlite: [
      `create trigger held before update on ${table} when ${when} begin select raise(abort, 'held by a test'); end`,
    ],
    postgres: [
      `create function held() returns trigger language plpgsql as $$ begin raise exception 'held by a test'; end $$`,
      `create trigger held before update on ${table} for each row when (${when}) execute function held()`,
    ],
  })
  return () =>
    stage.write({
      sqlite: ['drop trigger held'],
      postgres: [`drop trigger held on ${table}`, 'drop function held'],
    })
}
