// How a text is divided for its summary, and vectors that are asked for once, on both databases.
import { describe, expect, it } from 'vitest'
import { embedOnce } from '../../activities/embed-once.ts'
import { findEmbeddings, forgetEmbeddings, hashOf, storeEmbeddings } from '../../db/queries/embeddings.ts'
import { claimJob, insertJob } from '../../db/queries/jobs.ts'
import { planBatches, storeParsed } from '../../db/queries/job-batches.ts'
import { findSummary, planSummary, readSource } from '../../db/queries/summaries.ts'
import type { Storage } from '../../db/storage.ts'
import type { Embedder } from '../../providers/embedder.ts'
import { dialects } from '../support/dialects.ts'

const { signal } = new AbortController()

/** A job with batches of pages, read. */
async function read({ db }: Storage, batches: string[][]): Promise<string> {
  const file = { id: 'file_1', user_id: 'u', name: 'n', sha256: 's' }
  return db.transaction().execute(async (tx) => {
    const { id } = await insertJob(tx, { file, key_id: null })
    await claimJob(tx, { job_id: id, run: 1 }, 'run')
    await planBatches(tx, id, batches.length * 50)
    for (const [index, pages] of batches.entries())
      await storeParsed(
        tx,
        id,
        index + 1,
        pages.map((text, page) => ({ page: index * 50 + page + 1, text })),
      )
    return id
  })
}

const paragraphs = (count: number, words = 'word after word'): string =>
  Array.from({ length: count }, (_, n) => `Paragraph ${n}, ${words}.`).join('\n\n')

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it.each([
      ['nothing', [['', ' ']], []],
      ['a line', [['A line.']], [1]],
      ['a page of many parts', [[paragraphs(2_000)]], [6, 1]],
      ['many small batches', Array.from({ length: 300 }, (_, n) => [`Piece ${n}. ${'x'.repeat(500)}`]), [17, 3, 1]],
      ['pages of all sizes', [[paragraphs(10), '', paragraphs(900)], [paragraphs(3)], [paragraphs(1_500)]], [7, 1]],
    ])('%s is divided so that every word is in one part', async (_, batches, levels) => {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      const id = await read(storage, batches)
      expect(await planSummary(db, id)).toEqual(levels)
      expect(await planSummary(db, id), 'planned once').toEqual(levels)
      const parts = await Promise.all(
        Array.from({ length: levels[0] ?? 0 }, async (__, part) =>
          readSource(db, (await findSummary(db, id, 1, part + 1))!),
        ),
      )
      const wordsOf = (texts: string[]) => texts.join('\n\n').split(/\s+/).filter(Boolean)
      expect(wordsOf(parts)).toEqual(wordsOf(batches.flat()))
      for (const part of parts) expect(part.length).toBeLessThan(16_000)
    })

    it('a text is asked of a server once; what was not used for long goes, and the oldest when there are too many', async () => {
      const { db } = await (await dialect.fresh()).open()
      const asked: string[][] = []
      const embedder: Embedder = {
        model: 'openai:some@2',
        dimension: 2,
        isCostly: true,
        async embed(texts) {
          asked.push(texts)
          return texts.map((text) => new Float32Array([text.length, 0.5]))
        },
      }
      expect(await embedOnce(db, embedder, ['a', 'bb', 'a'], signal)).toEqual(
        [1, 2, 1].map((length) => new Float32Array([length, 0.5])),
      )
      await embedOnce(db, embedder, ['bb', 'ccc'], signal)
      await embedOnce(db, { ...embedder, model: 'openai:other@2' }, ['bb'], signal)
      await embedOnce(db, { ...embedder, isCostly: false }, ['bb'], signal)
      expect(asked).toEqual([['a', 'bb'], ['ccc'], ['bb'], ['bb']])

      const many = Array.from({ length: 250 }, (_, index) => `text ${index}`)
      const failing: Embedder = {
        ...embedder,
        model: 'openai:third@2',
        embed: (texts, each) =>
          texts.includes('text 249') ? Promise.reject(new Error('Too late')) : embedder.embed(texts, each),
      }
      await expect(embedOnce(db, failing, many, signal)).rejects.toThrow('Too late')
      asked.splice(0)
      await embedOnce(db, { ...embedder, model: failing.model }, many, signal)
      expect(asked.flat(), 'what was made before the failure').toHaveLength(50)

      const old = new Date(Date.now() - 40 * 86_400_000).toISOString()
      await db
        .updateTable('embeddings')
        .set({ used_at: old })
        .where('hash', 'in', [hashOf('a'), hashOf('bb')])
        .execute()
      await findEmbeddings(db, embedder.model, [hashOf('bb')])
      const before = new Date(Date.now() - 30 * 86_400_000).toISOString()
      expect(await forgetEmbeddings(db, before, signal)).toBe(2)
      expect((await findEmbeddings(db, embedder.model, [hashOf('a'), hashOf('bb')])).size).toBe(1)
      await storeEmbeddings(db, 'm', new Map(Array.from({ length: 9 }, (_, n) => [String(n), new Float32Array(2)])))
      expect(await forgetEmbeddings(db, before, signal, 4)).toBeGreaterThanOrEqual(7)
    })
  })
}
