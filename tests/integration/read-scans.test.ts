// A picture that cannot be read costs its page and the others nothing.
import { expect, it } from 'vitest'
import { readScans } from '../../activities/ingest/read-scans.ts'
import type { JobsTable } from '../../db/schema.ts'
import { MediaFailure } from '../../media/failure.ts'
import { dialects } from '../support/dialects.ts'

it.each(dialects)(
  '$name: a page whose picture takes too much memory keeps its text, with a notice',
  async (dialect) => {
    const storage = await (await dialect.fresh()).open()
    const failing = () => Promise.reject(new MediaFailure('too_large', 'Reading the picture took too much memory'))
    const resources = { db: storage.db, events: { publish: () => {} } as never, ocr: { recognize: failing } }
    const job = { id: 'job', options: '{}', pages: 1, user_id: 'anna' } as JobsTable
    const read = (pages: number, text: string) => {
      const page = { page: 1, text, scanned: true as const }
      return readScans(resources, { ...job, pages }, { path: 'file', part: '' }, [page], new AbortController().signal)
    }
    const notices = [{ code: 'unreadable', message: 'Pictures of text that cannot be read', count: 1 }]
    expect(await read(1, 'Scatter of errors')).toMatchObject([{ text: 'Scatter of errors', notices }])
    expect(await read(2, '')).toMatchObject([{ text: '', notices }])
    await expect(read(1, '')).rejects.toThrow('too much memory')
  },
)
