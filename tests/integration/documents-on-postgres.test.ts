// Documents on Postgres, where there is no vector index yet: refused in words, and nothing is found.
import { expect, it } from 'vitest'
import { dialects } from '../support/dialects.ts'

it('a document is refused in words, and a search finds nothing', async () => {
  const postgres = dialects.find(({ name }) => name === 'postgres')!
  const { vectors } = await (await postgres.fresh()).open()
  await vectors.ensureCollection({ id: 'c', model: 'm', dimension: 2 })
  const document = { collection: 'c', agent_id: 'a', scope: '', document_id: 'doc_1', generation: 1 }
  const chunk = { text: 'x', page: 1, position: 0, vector: new Float32Array([1, 0]) }
  await expect(vectors.addChunks(document, [chunk])).rejects.toMatchObject({ code: 'unprocessable' })
  const query = { collection: 'c', agent_id: 'a', scopes: [''], text: 'x', vector: chunk.vector, top_k: 1 }
  expect(await vectors.search(query)).toEqual([])
})
