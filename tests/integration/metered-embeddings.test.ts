// Embeddings that are paid for: their usage rows, their price and the budgets before them, on both databases.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { setBudget } from '../../db/queries/budgets.ts'
import { insertUsage, settleLost } from '../../db/queries/usage.ts'
import { createEmbedder } from '../../providers/create-embedder.ts'
import { hashingEmbedder } from '../../providers/hashing-embedder.ts'
import { meteredEmbedder } from '../../vectors/metered-embedder.ts'
import { dialects } from '../support/dialects.ts'
import { aRequest, inTx } from '../support/turn-rows.ts'

const OWNER = { key_id: 'key_1', user_id: 'anna', agent_id: 'helper' }
const { signal } = new AbortController()

/** @param usage what the server says of each request @param status of the requests from the second on */
async function serve(usage: object | undefined, status = 200) {
  let requests = 0
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const { input } = JSON.parse(Buffer.concat(parts).toString()) as { input: string[] }
    requests += 1
    const code = requests === 1 ? 200 : status
    response.writeHead(code, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ data: input.map((_, index) => ({ index, embedding: [1, 1] })), usage }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const base_url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  const own = { 'openai:small': { price: { input: 2, output: 0 } } }
  const embedder = createEmbedder({ openai: { base_url, api_key: 'sk-secret' } }, 'openai:small@2', own)
  return { embedder, count: () => requests }
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    const open = async () => {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      const rows = () => db.selectFrom('model_usage').selectAll().execute()
      return { storage, db, rows }
    }

    it('books what the server counts, over all of its answers, with the price of the model', async () => {
      const { db, rows } = await open()
      const { embedder, count } = await serve({ prompt_tokens: 50, total_tokens: 50 })
      const texts = Array.from({ length: 65 }, () => 'tea')
      expect(await meteredEmbedder(db, embedder, 'turn_1', OWNER).embed(texts, signal)).toHaveLength(65)
      expect(count()).toBe(2)
      expect(await rows()).toMatchObject([
        {
          ...OWNER,
          kind: 'embedding',
          stream_id: 'turn_1',
          provider: 'openai',
          model: 'small',
          status: 'completed',
          input_tokens: 100,
          output_tokens: 0,
          cost_usd: 0.0002,
        },
      ])
    })

    it('estimates where the server does not count', async () => {
      const { db, rows } = await open()
      const { embedder } = await serve(undefined)
      await meteredEmbedder(db, embedder, 'turn_1', OWNER).embed(['four', 'a longer text'], signal)
      expect(await rows()).toMatchObject([{ status: 'estimated', input_tokens: 5, cost_usd: 0.00001 }])
    })

    it('sends nothing over the budget, and leaves no row', async () => {
      const { db, rows } = await open()
      const { embedder, count } = await serve(undefined)
      await setBudget(db, { kind: 'user', id: 'anna' }, { daily_tokens: null, daily_cost_usd: 0.000001 })
      const metered = meteredEmbedder(db, embedder, 'turn_1', OWNER)
      await expect(metered.embed(['four'], signal)).rejects.toMatchObject({
        code: 'budget_exceeded',
        details: { budget: 'user', limit: 'daily_cost_usd' },
      })
      expect(count()).toBe(0)
      expect(await rows()).toEqual([])
    })

    it('books nothing of a refused request, and what was answered before a refusal', async () => {
      const { db, rows } = await open()
      const { embedder } = await serve({ prompt_tokens: 50, total_tokens: 50 }, 500)
      const metered = meteredEmbedder(db, embedder, 'turn_1', OWNER)
      const texts = Array.from({ length: 65 }, () => 'four')
      await expect(metered.embed(texts, signal)).rejects.toThrow()
      expect(await rows()).toMatchObject([{ status: 'estimated', input_tokens: 65 }])
      await expect(metered.embed(['four'], signal)).rejects.toThrow()
      expect(await rows()).toHaveLength(1)
    })

    it('has no output when its end is lost, unlike a chat', async () => {
      const { storage, rows } = await open()
      await insertUsage(storage.db, aRequest('turn_1', { kind: 'embedding' }))
      await insertUsage(storage.db, aRequest('turn_1'))
      await inTx(storage, (tx) => settleLost(tx, 'turn_1', 40))
      expect((await rows()).map(({ kind, output_tokens }) => [kind, output_tokens]).toSorted()).toEqual([
        ['chat', 10],
        ['embedding', 0],
      ])
    })

    it('the offline embedder makes no row', async () => {
      const { db, rows } = await open()
      await meteredEmbedder(db, hashingEmbedder(), 'turn_1', OWNER).embed(['four'], signal)
      expect(await rows()).toEqual([])
    })
  })
}
