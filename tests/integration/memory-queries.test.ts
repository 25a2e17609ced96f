// The statements that memory adds to a turn use indexes, on both databases: seen in their plans.
import { type CompiledQuery, sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { findContextMemory } from '../../db/queries/context-memory.ts'
import { createConversation, listOlder } from '../../db/queries/conversations.ts'
import { findMemories, listMemories } from '../../db/queries/memories.ts'
import { listOutbox } from '../../db/queries/memory-outbox.ts'
import { readStepInput } from '../../db/queries/turn-input.ts'
import type { Tx } from '../../db/schema.ts'
import { dialects } from '../support/dialects.ts'
import { insert, inTx } from '../support/turn-rows.ts'

/** Tables that grow with what is said. */
const SCANNED = /Seq Scan on (memories|memory_outbox|context_memories|messages)\b/

/** Runs a query, and explains the statements that it made. */
async function plansOf(tx: Tx, explain: string, query: (tx: Tx) => Promise<unknown>): Promise<string> {
  const asked: CompiledQuery[] = []
  const executor = tx.getExecutor()
  const execute = executor.executeQuery.bind(executor)
  executor.executeQuery = (compiled, ...more) => {
    asked.push(compiled)
    return execute(compiled, ...more)
  }
  try {
    await query(tx)
  } finally {
    executor.executeQuery = execute
  }
  expect(asked.length).toBeGreaterThan(0)
  const plans: string[] = []
  for (const each of asked) {
    const { rows } = await execute<Record<string, unknown>>({ ...each, sql: `${explain} ${each.sql}` })
    plans.push(...rows.map((row) => String(row['detail'] ?? row['QUERY PLAN'])))
  }
  return plans.join('\n')
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('every statement of memory in a turn reads by an index', async () => {
      const storage = await (await dialect.fresh()).open()
      const isSqlite = dialect.name === 'sqlite'
      const owner = { agent_id: 'agent', user_id: 'user' }
      const { id } = await createConversation(storage.db, owner)
      const turnId = await insert(storage, id)
      const queries: [name: string, query: (tx: Tx) => Promise<unknown>, index: string][] = [
        ['step input', (tx) => readStepInput(tx, turnId, 1, 20), 'memories_by_agent'],
        ['memories by id', (tx) => findMemories(tx, owner, ['mem_1', 'mem_2']), isSqlite ? '(id=?)' : 'memories_pkey'],
        ['memories of a user', (tx) => listMemories(tx, owner, 20, undefined), 'memories_by_owner'],
        ['older messages', (tx) => listOlder(tx, id, 'msg_1', 100), 'messages_by_conversation'],
        ['context memory', (tx) => findContextMemory(tx, 'user'), 'context_memories'],
        ['outbox', (tx) => listOutbox(tx, id, 20), 'memory_outbox_by_conversation'],
      ]
      await inTx(storage, async (tx) => {
        // Postgres would rather scan tables as small as these: an index is used if there is one.
        if (!isSqlite) await sql`set local enable_seqscan = off`.execute(tx)
        for (const [name, query, index] of queries) {
          const plan = await plansOf(tx, isSqlite ? 'explain query plan' : 'explain', query)
          expect(plan, name).not.toMatch(isSqlite ? /\bSCAN (?!CONSTANT)/ : SCANNED)
          expect(plan, name).toContain(index)
        }
      })
    })
  })
}
