// How Postgres executes the search for the nearest vectors: with the index by nearness in a large space, exactly in a small one.
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { SEARCH_SETTINGS } from '../../vectors/postgres/search.ts'
import { dialects } from '../support/dialects.ts'
import { seeded } from '../support/seeded.ts'

const DIMENSION = 8
/** More than are compared exactly. */
const LARGE = 2_300
const SMALL = 50
const TOP = 10

interface Asked {
  text: string
  values: unknown[]
}

it('finds the nearest of a large space by the index, as many as are wanted, beside other spaces', async () => {
  const database = await dialects.find(({ name }) => name === 'postgres')!.fresh()
  const { vectors } = await database.open()
  const random = seeded(3)
  const vector = () => Float32Array.from({ length: DIMENSION }, () => random() - 0.5)
  await vectors.serving({ model: 'c', dimension: DIMENSION })
  for (const [scope, count] of [
    ['large', LARGE],
    ['small', SMALL],
    ['other', LARGE],
  ] as const) {
    const document = { model: 'c', agent_id: 'agent', scope, document_id: scope, generation: 1 }
    const chunks = Array.from({ length: count }, (_, position) => ({ text: '', page: 1, position, vector: vector() }))
    await vectors.addChunks(document, chunks)
    await vectors.publish(scope, 1)
  }

  const asked: Asked[] = []
  // oxlint-disable-next-line typescript/unbound-method -- called with its client
  const send = pg.Client.prototype.query as (...given: unknown[]) => unknown
  pg.Client.prototype.query = function (this: pg.Client, ...given: unknown[]) {
    const [query] = given as [Asked]
    if (query.text?.includes('as distance from') && query.text.includes('order by')) asked.push(query)
    return send.apply(this, given)
  } as never
  onTestFinished(() => {
    pg.Client.prototype.query = send as never
  })
  const client = new pg.Client({ connectionString: database.options.database_url! })
  await client.connect()
  onTestFinished(() => client.end())
  for (const [name, value] of Object.entries(SEARCH_SETTINGS)) await client.query(`set ${name} = '${value}'`)

  const query = { model: 'c', agent_id: 'agent', text: '', vector: vector(), top_k: TOP }
  for (const [scope, index] of [
    ['large', 'by_nearness'],
    ['small', 'by_space'],
  ] as const) {
    asked.length = 0
    expect(await vectors.search({ ...query, scopes: [scope] })).toHaveLength(TOP)
    expect(asked).toHaveLength(1)
    const { text, values } = asked[0]!
    const { rows } = await client.query(`explain (costs off) ${text}`, values)
    const plan = rows.map((row) => String(row['QUERY PLAN'])).join('\n')
    expect(plan).toContain(`chunk_vectors_${DIMENSION}_${index}`)
    expect(plan).not.toContain('Seq Scan')
  }
})
