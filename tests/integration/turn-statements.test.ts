// What a turn without tools and documents asks of the databases, from the request to the end: counted, because each statement costs.
import type { Client } from '@temporalio/client'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { acceptMessage } from '../../api/services/chat.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { syncFileAgents } from '../../db/queries/agents.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import { createKey, findPrincipal } from '../../db/queries/keys.ts'
import type { VectorStore } from '../../vectors/store.ts'
import { callModels } from '../support/call-model.ts'
import { dialects } from '../support/dialects.ts'
import { watchStatements } from '../support/statements.ts'

const MAX_STATEMENTS = 22
const log = pino({ level: 'silent' })
const limits = {
  attachments: 1,
  content_bytes: 100,
  carried_bytes: 100,
  turns_per_user: 10,
  turns_per_key: 10,
  user_bytes: 0,
}
const client = {
  withDeadline: (_: number, call: () => Promise<unknown>) => call(),
  withAbortSignal: (_: AbortSignal, call: () => Promise<unknown>) => call(),
} as unknown as Client

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it(`needs at most ${MAX_STATEMENTS} statements and 4 write transactions for a turn of one step`, async () => {
      const record = watchStatements()
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      const config = resolveAgent(
        {
          id: 'agent',
          description: 'Helps.',
          system_message: 'Help.',
          model: { provider: 'offline', model: 'offline' },
        },
        'agent',
      )
      await syncFileAgents(db, storage.box, [{ id: 'agent', config, secrets: {}, file: 'agent.yaml' }])
      const { secret } = await createKey(db, { name: 'key', scopes: ['chat'], user_id: 'user' })
      const { id: conversation_id } = await createConversation(db, { agent_id: 'agent', user_id: 'user' })
      const callModel = callModels(storage)
      const turn = async () => {
        const principal = (await findPrincipal(db, secret))!
        const context = {
          storage,
          client,
          log,
          limits,
          headStarts: undefined,
          vectors: {} as VectorStore,
          startTurn: async () => undefined,
        }
        const request = { content: 'Hello', conversation_id }
        const { turn_id } = await acceptMessage(context, principal, { agent_id: 'agent', request, route: 'chat' })
        expect(await callModel(turn_id)).toMatchObject({ finish: 'ended', status: 'completed' })
      }
      // The first turn of a process reads the agent's configuration, which is kept, and starts listeners.
      for (const _ of [1, 2, 3]) await turn()
      const { transactions, single, flushes } = await record(turn)
      const all = [...transactions.flat(), ...single]
      expect(flushes).toBeGreaterThan(0)
      expect(transactions.map((statements) => statements.length > 0)).toEqual([true, true, true, true])
      expect(single.filter((statement) => !statement.startsWith('select'))).toEqual([])
      expect(all.length, all.join('\n')).toBeLessThanOrEqual(MAX_STATEMENTS)
    })
  })
}
