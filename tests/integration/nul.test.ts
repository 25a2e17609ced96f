// NUL in texts of clients, models and tools: both databases store and find the same.
import { describe, expect, it } from 'vitest'
import { createAgent, getAgentOrThrow } from '../../db/queries/agents.ts'
import { createConversation, findConversation, changeConversation } from '../../db/queries/conversations.ts'
import { addLogEntry, listLogOfTurn } from '../../db/queries/log.ts'
import { finishToolCall, insertStep, listSteps, listToolCalls } from '../../db/queries/steps.ts'
import { raiseFence } from '../../db/event-rows.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import { dialects } from '../support/dialects.ts'
import { inTx, insert } from '../support/turn-rows.ts'

const GIVEN = 'one\0two'
const STORED = 'one\uFFFDtwo'

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('stores text with a NUL the same in every column of every table', async () => {
      const { db } = await (await dialect.fresh()).open()
      const tables = (await db.introspection.getTables()).filter(
        ({ name }) => !/^(kysely|chunk_words|message_words|sqlite)/.test(name),
      )
      expect(tables.length).toBeGreaterThan(30)
      for (const { name, columns } of tables) {
        const isText = (dataType: string) => dataType.toLowerCase() === 'text'
        const row = (text: string) =>
          Object.fromEntries(columns.map((column) => [column.name, isText(column.dataType) ? text : 1]))
        const table = name as 'secrets'
        await db.deleteFrom(table).execute()
        await db
          .insertInto(table)
          .values(row(GIVEN) as never)
          .execute()
        expect(await db.selectFrom(table).selectAll().execute(), name).toEqual([row(STORED)])
        const first = columns.find(({ dataType }) => isText(dataType))!.name as 'name'
        expect(await db.selectFrom(table).select(first).where(first, '=', GIVEN).execute(), name).toHaveLength(1)
      }
    })

    it('gives messages, titles, agents, steps, calls and log entries back without it', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db, box } = storage
      const config = resolveAgent({ id: 'agent', description: GIVEN, system_message: GIVEN }, 'agent')
      await inTx(storage, (tx) => createAgent(tx, box, { id: 'agent', config, secrets: {} }))
      // The configuration is JSON, in which the escape of NUL is text like any other.
      expect(await getAgentOrThrow(db, 'agent')).toMatchObject({
        description: STORED,
        config: { system_message: GIVEN },
      })
      const { id } = await createConversation(db, { agent_id: 'agent', user_id: 'user', title: GIVEN })
      expect(await findConversation(db, id)).toMatchObject({ title: STORED })
      await changeConversation(db, id, { title: `${GIVEN}!` })
      expect(await findConversation(db, id)).toMatchObject({ title: `${STORED}!` })

      const turn_id = await insert(storage, id, { content: GIVEN })
      expect(await db.selectFrom('messages').select('content').execute()).toEqual([{ content: STORED }])
      const writer = { scope: 'step_1', fence: 1 }
      const step = { turn_id, step: 1, provider: 'p', model: 'm', input_tokens: 1, output_tokens: 1, content: GIVEN }
      const call = { call_id: 'call_1', name: 't', server: 's', provider_call_id: GIVEN, arguments: '{"a":"\\u0000"}' }
      await inTx(storage, async (tx) => {
        await raiseFence(tx, turn_id, writer)
        await insertStep(tx, step, [call], writer)
        await finishToolCall(tx, turn_id, 'call_1', 'done', GIVEN)
        const start = {
          stream_id: turn_id,
          workflow_id: 'w',
          activity_id: '1',
          attempt: 1,
          name: GIVEN,
          input: { a: GIVEN },
        }
        await addLogEntry(tx, { ...start, kind: 'tool_call' }, { status: 'completed', duration_ms: 1, output: GIVEN })
      })
      expect((await listSteps(db, turn_id))[0]).toMatchObject({ content: STORED })
      expect(await listToolCalls(db, turn_id)).toMatchObject([
        { provider_call_id: STORED, arguments: '{"a":"\\u0000"}', output: STORED },
      ])
      expect(await listLogOfTurn(db, turn_id)).toMatchObject([{ name: STORED, output: '"one\\u0000two"' }])
    })
  })
}
