// How Postgres executes the search for the nearest vectors: with the index by nearness in a large space, exactly in a small one.
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { openPostgresForSearches } from '../../db/postgres.ts'
import { SEARCH_SETTINGS } from '../../vectors/postgres/search.ts'
import { postgresVectors } from '../../vectors/postgres/vectors.ts'
import { SqlVectorStore } from '../../vectors/sql-vector-store.ts'
import { dialects } from '../support/dialects.ts'
import { seeded } from '../support/seeded.ts'

const DIMENSION = 8
const MOST_EXACT = 500
const LARGE = 600
const SMALL = 400
const FEW = 50
const TOP = 10

interface Asked {
  text: string
  values: unknown[]
}

it('finds the nearest of a large space by the index, as many as are wanted, beside other spaces', async () => {
  const database = await dialects.find(({ name }) => name === 'postgres')!.fresh()
  const { db } = await database.open()
  const searches = openPostgresForSearches(database.options.database_url!, SEARCH_SETTINGS)
  onTestFinished(() => searches.destroy())
  const vectors = new SqlVectorStore(db, postgresVectors({ searches, builds: db, mostExact: MOST_EXACT }))
  const random = seeded(3)
  const vector = () => Float32Array.from({ length: DIMENSION }, () => random() - 0.5)
  await vectors.serving({ model: 'c', dimension: DIMENSION })
  for (const [scope, count] of [
    ['large', LARGE],
    ['small', SMALL],
    ['few', FEW],
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
    if (query.text?.includes('<=>') && query.text.includes('order by')) asked.push(query)
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
    ['few', 'by_space'],
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
