// Forgetting a user on both databases. The tables are read from the schema, so that a new one cannot be forgotten here.
import type { Client } from '@temporalio/client'
import { sql } from 'kysely'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import type { ApiContext } from '../../api/services/context.ts'
import { forgetUser } from '../../api/services/forget-user.ts'
import { newId } from '../../contracts/ids.ts'
import { setBudget } from '../../db/queries/budgets.ts'
import { mergeContextMemory } from '../../db/queries/context-memory.ts'
import { ensureDefaultConversation } from '../../db/queries/default-conversations.ts'
import { storeEmbeddings, hashOf } from '../../db/queries/embeddings.ts'
import { insertFile } from '../../db/queries/files.ts'
import { insertIdempotent } from '../../db/queries/idempotency.ts'
import { insertJob } from '../../db/queries/jobs.ts'
import { createKey, createTicket, findPrincipal } from '../../db/queries/keys.ts'
import { addLogEntry } from '../../db/queries/log.ts'
import { storeRecall } from '../../db/queries/recalls.ts'
import { addPiece, insertUpload, newUploadId, pieceOwner } from '../../db/queries/uploads.ts'
import { insertUsage } from '../../db/queries/usage.ts'
import { dialects, type TestStorage } from '../support/dialects.ts'
import { aRequest, inTx } from '../support/turn-rows.ts'
import { addRememberingAgent, memoryWriter, say } from '../support/write-memory.ts'

const USER = 'anna.canary@example.test'
const OTHER = 'anna.canary@example.tes'
const SECRET_WORD = 'xylophone-canary'
/** Kept for the accounts: numbers, the id of the turn and of the key, without the user; and for minutes, which ids have changed. */
const KEPT = ['model_usage', 'usage_days', 'changes']

/** The engine, with the runs of the user. */
function engine(runs: { workflowId: string; runId: string }[]) {
  const deleted: string[] = []
  const queries: string[] = []
  const client = {
    workflow: {
      async *list({ query }: { query: string }) {
        queries.push(query)
        yield* runs.filter(({ runId }) => !deleted.includes(runId))
      },
    },
    workflowService: {
      deleteWorkflowExecution: async ({ workflowExecution }: { workflowExecution: { runId: string } }) =>
        void deleted.push(workflowExecution.runId),
    },
  } as unknown as Client
  return { client, deleted, queries }
}

/** What notices that keys were deleted. */
const revoking = () => ({ keys: { forget: () => undefined }, openStreams: { check: () => Promise.resolve() } })

/** Everything that a user leaves. @returns ids that must not be found afterwards */
async function live(storage: TestStorage, user_id: string): Promise<string[]> {
  const { db, box, blobs } = storage
  const conversation_id = await ensureDefaultConversation(db, 'agent', user_id)
  const turn_id = await say(storage, conversation_id, { content: `I play the ${SECRET_WORD}.`, user_id })
  await memoryWriter(storage)(conversation_id)
  const waiting = await say(storage, conversation_id, { content: `The ${SECRET_WORD} is in the attic.`, user_id })
  await inTx(storage, (tx) => mergeContextMemory(tx, user_id, { plays: SECRET_WORD }, { message_id: turn_id }))
  const { secret } = await createKey(db, { name: 'key', scopes: ['chat'], user_id })
  const { key_id, key_hash } = (await findPrincipal(db, secret))!
  await createTicket(db, key_hash)
  const sha256 = await blobs.put(user_id, Buffer.from(SECRET_WORD))
  const file = await insertFile(db, { user_id, name: `${SECRET_WORD}.txt`, type: 'text/plain', size: 3, sha256 })
  const upload = newUploadId()
  await insertUpload(db, upload, { user_id, key_id, name: `${SECRET_WORD}.txt`, size: 9, metadata: {} })
  const piece = await blobs.put(pieceOwner(upload), Buffer.from(SECRET_WORD))
  await addPiece(db, { upload_id: upload, start: 0, size: 9, sha256: piece })
  await storeEmbeddings(db, 'openai:small@2', new Map([[hashOf(`I play the ${SECRET_WORD}.`), new Float32Array(2)]]))
  const jobs: string[] = []
  for (const conversation of [conversation_id, undefined]) {
    const job = await inTx(storage, (tx) =>
      insertJob(tx, { file, key_id, agent_id: 'agent', ...(conversation !== undefined && { conversation_id }) }),
    )
    await db.updateTable('jobs').set({ status: 'completed', finished_at: 'now' }).where('id', '=', job.id).execute()
    jobs.push(job.id)
  }
  const stamp = new Date().toISOString()
  await db
    .insertInto('approvals')
    .values({
      id: newId('appr'),
      turn_id,
      call_id: 'call_1_1',
      place: 'gate',
      user_id,
      agent_id: 'agent',
      kind: 'tool',
      name: SECRET_WORD,
      server: 's',
      status: 'decided',
      created_at: stamp,
    })
    .execute()
  const server = { agent_id: 'agent', server: 'mail', user_id }
  await db
    .insertInto('mcp_grants')
    .values({ ...server, sealed: box.seal('x', 'y'), version: 1, updated_at: stamp })
    .execute()
  await db
    .insertInto('mcp_sign_ins')
    .values({
      ...server,
      id: newId('req'),
      turn_id,
      call_id: 'c',
      asked: 1,
      sealed: 's',
      status: 'done',
      created_at: stamp,
    })
    .execute()
  await inTx(storage, async (tx) => {
    await storeRecall(tx, turn_id, { passages: [], memories: [], about_user: { plays: SECRET_WORD } })
    await insertIdempotent(tx, { key_id, route: 'chat', idempotency_key: user_id, body_hash: 'b', result_id: turn_id })
    for (const stream_id of [turn_id, ...jobs])
      await addLogEntry(
        tx,
        {
          stream_id,
          kind: 'recall',
          name: 'n',
          workflow_id: `turn/${stream_id}`,
          activity_id: '1',
          attempt: 1,
          input: SECRET_WORD,
        },
        { status: 'completed', duration_ms: 1 },
      )
    await setBudget(tx, { kind: 'user', id: user_id }, { daily_tokens: 1_000, daily_cost_usd: null })
    await setBudget(tx, { kind: 'key', id: key_id }, { daily_tokens: 1_000, daily_cost_usd: null })
    await insertUsage(tx, aRequest(turn_id, { user_id, key_id }))
  })
  return [user_id, conversation_id, turn_id, waiting, file.id, sha256, key_id, ...jobs]
}

/** Parts of the full-text index and of the vectors, which have tables of their own. */
const SHADOW = /^(chunk|message)_(words|vectors_\d+)_/

/** The rows of every table as JSON. */
async function dump({ db }: TestStorage): Promise<Map<string, string>> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: false })
  const rows = new Map<string, string>()
  for (const { name } of tables.filter((table) => !SHADOW.test(table.name))) {
    const found = await sql`select * from ${sql.table(name)}`.execute(db)
    rows.set(
      name,
      JSON.stringify(found.rows, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)),
    )
  }
  return rows
}

/** The tables that have a user or an owner in a column. */
async function ownedTables({ db }: TestStorage): Promise<string[]> {
  const tables = await db.introspection.getTables()
  return tables
    .filter(({ columns }) => columns.some(({ name }) => name === 'user_id' || name === 'owner'))
    .map(({ name }) => name)
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('leaves nothing of a user in any table, blob or history, and nothing else is touched', async () => {
      const storage = await (await dialect.fresh()).open()
      await addRememberingAgent(storage)
      const ids = await live(storage, USER)
      const others = await live(storage, OTHER)
      const before = await dump(storage)
      // A table with a user that is not filled above is not tested: fill it.
      for (const table of await ownedTables(storage)) expect(before.get(table), table).toContain(USER)

      const { client, deleted, queries } = engine([
        { workflowId: 'turn/1', runId: 'a' },
        { workflowId: 'memory/1', runId: 'b' },
      ])
      const context = {
        ...revoking(),
        storage,
        vectors: storage.vectors,
        client,
        namespace: 'default',
        log: pino({ level: 'silent' }),
      }
      const counts = await forgetUser(context as unknown as ApiContext, USER, 0)
      expect(counts).toEqual({
        conversations: 1,
        messages: 4,
        memories: 2,
        files: 1,
        jobs: 1,
        keys: 1,
        context_fields: 1,
        workflows: 2,
      })
      expect(deleted).toEqual(['a', 'b'])
      expect(queries[0]).toBe(`MuxiUser = '${storage.box.pseudonym(USER)}'`)

      const after = await dump(storage)
      for (const [table, rows] of after) {
        if (KEPT.includes(table)) {
          expect(rows, table).not.toContain(`"${USER}"`)
          continue
        }
        for (const id of ids.filter((each) => !others.includes(each)))
          expect(rows, `${table} holds ${id}`).not.toContain(JSON.stringify(id).slice(1, id === USER ? undefined : -1))
      }
      expect(after.get('embeddings')).toBe('[]')
      const [vectors] = [...after.keys()].filter((name) => /^chunk_vectors_\d+$/.test(name))
      expect(JSON.parse(after.get(vectors!)!)).toHaveLength(JSON.parse(after.get('chunks')!).length)
      const sha256 = ids.find((id) => /^[0-9a-f]{64}$/.test(id))!
      expect(await storage.blobs.has(USER, sha256)).toBe(false)

      expect(await storage.blobs.has(OTHER, sha256)).toBe(true)
      for (const table of await ownedTables(storage)) expect(after.get(table), table).toContain(OTHER)
      const again = await forgetUser(context as unknown as ApiContext, USER, 0)
      expect(again).toMatchObject({ conversations: 0, memories: 0, files: 0, jobs: 0 })
    })

    it('forgets what is said meanwhile as a whole', async () => {
      const storage = await (await dialect.fresh()).open()
      await addRememberingAgent(storage)
      await live(storage, USER)
      let comes = true
      const discard = async (id: string) => {
        await storage.vectors.discard(id)
        const left = await storage.db.selectFrom('conversations').select('id').where('user_id', '=', USER).execute()
        if (!comes || left.length > 0) return
        comes = false
        const conversation_id = await ensureDefaultConversation(storage.db, 'agent', USER)
        await say(storage, conversation_id, { content: `The ${SECRET_WORD} again.`, user_id: USER })
      }
      const vectors = { discard }
      const { client } = engine([])
      const log = pino({ level: 'silent' })
      const context = { ...revoking(), storage, vectors, client, namespace: 'default', log } as unknown as ApiContext
      expect(await forgetUser(context, USER, 0)).toMatchObject({ conversations: 2, messages: 6 })
      const rows = await dump(storage)
      for (const [table, text] of rows) if (!KEPT.includes(table)) expect(text, table).not.toContain(SECRET_WORD)
    })

    it('forgets what was written with a key until every process knew that it was deleted', async () => {
      const storage = await (await dialect.fresh()).open()
      await addRememberingAgent(storage)
      await live(storage, USER)
      const { client } = engine([])
      const steps: string[] = []
      const write = async () => {
        steps.push('streams')
        expect(await storage.db.selectFrom('api_keys').select('id').where('user_id', '=', USER).execute()).toEqual([])
        const conversation_id = await ensureDefaultConversation(storage.db, 'agent', USER)
        await say(storage, conversation_id, { content: `The ${SECRET_WORD} again.`, user_id: USER })
      }
      const context = {
        storage,
        vectors: storage.vectors,
        client,
        namespace: 'default',
        log: pino({ level: 'silent' }),
        keys: { forget: () => steps.push('keys') },
        openStreams: { check: write },
      } as unknown as ApiContext
      expect(await forgetUser(context, USER, 0)).toMatchObject({ conversations: 2, messages: 6, keys: 1 })
      expect(steps).toEqual(['keys', 'streams'])
      for (const [table, text] of await dump(storage))
        if (!KEPT.includes(table)) expect(text, table).not.toContain(SECRET_WORD)
    })
  })
}
