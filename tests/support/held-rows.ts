// Holds a job at a given point: the database refuses later writes, and the workers retry.
import type { Stage } from './stage.ts'

/** Updates that the database refuses. An attempt that may not begin is not counted: only ten may begin. */
const REFUSED = {
  /** A batch of pages after number `last` is not begun. */
  batches: [{ table: 'job_batches', when: (last: number) => `new.parses > old.parses and new.batch > ${last}` }],
  /** A scanned page after number `last` is not stored, and the batch that it is in is not begun again. */
  scans: [
    { table: 'ocr_pages', when: (last: number) => `old.read is null and new.read is not null and new.page > ${last}` },
    { table: 'job_batches', when: () => 'new.parses > old.parses and old.parses > 0' },
  ],
}

/**
 * Allows jobs to store batches of pages, or scanned pages, up to a number.
 * @returns a function that releases them
 */
export async function holdAfter(
  stage: Stage,
  pieces: keyof typeof REFUSED,
  last: number,
): Promise<() => Promise<void>> {
  const refused = REFUSED[pieces].map(({ table, when }) => ({ table, when: when(last) }))
  await stage.write({
    sqlite: refused.map(
      ({ table, when }) =>
        `create trigger held_${table} before update on ${table} when ${when} begin select raise(abort, 'held by a test'); end`,
    ),
    postgres: [
      `create function held() returns trigger language plpgsql as $$ begin raise exception 'held by a test'; end $$`,
      ...refused.map(
        ({ table, when }) =>
          `create trigger held_${table} before update on ${table} for each row when (${when}) execute function held()`,
      ),
    ],
  })
  return () =>
    stage.write({
      sqlite: refused.map(({ table }) => `drop trigger held_${table}`),
      postgres: [...refused.map(({ table }) => `drop trigger held_${table} on ${table}`), 'drop function held'],
    })
}
