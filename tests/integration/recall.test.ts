// Recalling with an embeddings server that fails or hangs: the turn goes on without passages, and its log says why.
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { recall, storeRecalled } from '../../activities/turn/recall.ts'
import { MessageVectors } from '../../activities/turn/recent-messages.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { listLogOfTurn } from '../../db/queries/log.ts'
import { readStepInput } from '../../db/queries/turn-input.ts'
import { createEmbedder } from '../../providers/create-embedder.ts'
import { dialects } from '../support/dialects.ts'
import { indexOf } from '../support/search-index.ts'
import { insert, inTx } from '../support/turn-rows.ts'

/** The provider's own text must not reach the log of the turn. */
const MEMORY = { buffer: 0, long_term: false }
const WORDS = 'the key sk-secret is unknown'

async function recallFrom(answer: RequestListener) {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const base_url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  const embedder = createEmbedder({ openai: { base_url, api_key: 'sk-secret' } }, 'openai:small@2')

  const [sqlite] = dialects
  const storage = await (await sqlite!.fresh()).open()
  const { id: conversation_id } = await createConversation(storage.db, { agent_id: 'agent', user_id: 'user' })
  const turnId = await insert(storage, conversation_id)
  const given = { ...(await readStepInput(storage.db, turnId, 1, 0)), searchable: true }
  const resources = { ...storage, index: indexOf(storage, embedder), messageVectors: new MessageVectors(storage.db) }
  const recalled = await recall(resources, given, MEMORY, new AbortController().signal)
  await inTx(storage, (tx) =>
    storeRecalled(tx, turnId, recalled, { workflow_id: `turn/${turnId}`, activity_id: '1', attempt: 1 }),
  )
  const [entry] = await listLogOfTurn(storage.db, turnId)
  return { recalled, entry: entry! }
}

it('an embeddings server that fails leaves the turn without passages', async () => {
  const { recalled, entry } = await recallFrom((_, response) =>
    response.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message: WORDS } })),
  )
  expect(recalled.passages).toEqual([])
  expect(entry).toMatchObject({ kind: 'recall', status: 'failed' })
  expect(entry.error).toContain('openai answered 500')
  expect(JSON.stringify(entry)).not.toContain('sk-secret')
})

it('an embeddings server that hangs times out after the limit of the recall', { timeout: 30_000 }, async () => {
  const { recalled, entry } = await recallFrom(() => undefined)
  expect(recalled.passages).toEqual([])
  expect(recalled.duration_ms).toBeLessThan(10_000)
  expect(entry).toMatchObject({ kind: 'recall', status: 'failed', error: expect.stringContaining('took longer than') })
})

it('the cancellation of the turn ends recalling', async () => {
  const stopped = new AbortController()
  const [sqlite] = dialects
  const storage = await (await sqlite!.fresh()).open()
  const { id: conversation_id } = await createConversation(storage.db, { agent_id: 'agent', user_id: 'user' })
  const turnId = await insert(storage, conversation_id)
  const given = { ...(await readStepInput(storage.db, turnId, 1, 0)), searchable: true }
  const embedder = { ...createEmbedder({ openai: {} }, 'local'), embed: () => new Promise<never>(() => undefined) }
  const resources = { ...storage, index: indexOf(storage, embedder), messageVectors: new MessageVectors(storage.db) }
  const recalling = recall(resources, given, MEMORY, stopped.signal)
  stopped.abort(new Error('stopped'))
  await expect(recalling).rejects.toThrow('stopped')
})
