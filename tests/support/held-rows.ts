// Holds a job at a given point: the database refuses later writes, and the workers retry.
import type { Stage } from './stage.ts'

/** Tables that a job writes incrementally. */
const PIECES = {
  batches: { table: 'job_batches', column: 'pages', number: 'batch' },
  scans: { table: 'ocr_pages', column: 'read', number: 'page' },
}

/**
 * Allows jobs to store batches of pages, or scanned pages, up to a number.
 * @returns a function that releases them
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
