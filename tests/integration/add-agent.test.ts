// POST /agents as one transaction, on both databases: a failure in the middle leaves nothing, and the same request succeeds afterwards.
import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { addAgent, viewAgent } from '../../api/services/agents.ts'
import { ANYBODY } from '../../api/services/access.ts'
import type { Storage } from '../../db/storage.ts'
import { agentContext as contextOf } from '../support/agent-context.ts'
import { dialects, type TestDialect } from '../support/dialects.ts'

const AGENT = {
  id: 'clerk',
  description: 'Helps.',
  system_message: 'Help.',
  model: { provider: 'openai' as const, model: 'gpt', api_key: 'sk-of-the-clerk' },
  mcp_servers: [{ name: 'sums', builtin: 'calculator' as const }],
  knowledge: [
    { id: 'crew', content: 'The captain is called Ingrid.' },
    { id: 'prices', content: 'A ticket costs 12 crowns.' },
  ],
}

/** Has inserts into a table fail from the second of a transaction on. @returns lets them succeed again */
async function breakTable({ db }: Storage, table: string, dialect: TestDialect['name']): Promise<() => Promise<void>> {
  const second = `exists (select 1 from ${table})`
  if (dialect === 'sqlite') {
    await sql
      .raw(`create trigger broken before insert on ${table} when ${second} begin select raise(abort, 'broken'); end`)
      .execute(db)
    return async () => void (await sql.raw('drop trigger broken').execute(db))
  }
  await sql
    .raw(
      `create function broken() returns trigger language plpgsql as $$ begin if ${second} then raise exception 'broken'; end if; return new; end $$`,
    )
    .execute(db)
  await sql.raw(`create trigger broken before insert on ${table} for each row execute function broken()`).execute(db)
  return async () => void (await sql.raw(`drop trigger broken on ${table}; drop function broken`).execute(db))
}

const TABLES = ['agents', 'agent_versions', 'secrets', 'mcp_servers', 'knowledge_sources', 'jobs', 'files'] as const

async function countRows({ db }: Storage): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const table of TABLES) counts[table] = (await db.selectFrom(table).selectAll().execute()).length
  return counts
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    const open = async () => (await dialect.fresh()).open()

    it('takes other agents that exist, and refuses itself and those that do not', async () => {
      const storage = await open()
      const context = contextOf(storage)
      const { mcp_servers: _servers, knowledge: _knowledge, ...clerk } = AGENT
      const desk = { ...clerk, id: 'desk', agent_tools: ['clerk'], handoffs: ['desk', 'clerk'] }
      const refused = (...fields: string[]) => ({
        code: 'unprocessable',
        details: { fields: fields.map((path) => expect.objectContaining({ path })) },
      })
      await expect(addAgent(context, ANYBODY, desk)).rejects.toMatchObject(
        refused('agent_tools.0', 'handoffs.0', 'handoffs.1'),
      )
      await addAgent(context, ANYBODY, clerk)
      await expect(addAgent(context, ANYBODY, desk)).rejects.toMatchObject(refused('handoffs.0'))
      const { agent } = await addAgent(context, ANYBODY, { ...desk, handoffs: ['clerk'] })
      expect(await viewAgent(context, agent)).toMatchObject({ agent_tools: ['clerk'], handoffs: ['clerk'] })
    })

    it('takes a name in place of an id or equal to it, and refuses another one', async () => {
      const context = contextOf(await open())
      const { id, mcp_servers: _servers, knowledge: _knowledge, ...clerk } = AGENT
      await expect(addAgent(context, ANYBODY, { ...clerk, id, name: 'desk' })).rejects.toMatchObject({
        code: 'bad_request',
        details: { fields: [{ path: 'name' }] },
      })
      expect((await addAgent(context, ANYBODY, { ...clerk, id, name: id })).agent.id).toBe(id)
      expect((await addAgent(context, ANYBODY, { ...clerk, name: 'desk' })).agent.id).toBe('desk')
    })

    it('leaves nothing of an agent whose second source of knowledge fails, and the same request succeeds afterwards', async () => {
      const storage = await open()
      const context = contextOf(storage)
      const mend = await breakTable(storage, 'knowledge_sources', dialect.name)
      await expect(addAgent(context, ANYBODY, AGENT)).rejects.toThrow(/broken/)
      expect(await countRows(storage)).toEqual(Object.fromEntries(TABLES.map((table) => [table, 0])))
      await mend()
      const { agent, sources } = await addAgent(context, ANYBODY, AGENT)
      expect(agent).toMatchObject({ id: 'clerk', version: 1, source: 'api' })
      expect(sources).toMatchObject([
        { id: 'crew', job_id: expect.stringMatching(/^job_/) },
        { id: 'prices', job_id: expect.stringMatching(/^job_/) },
      ])
      expect(await countRows(storage)).toMatchObject({
        agents: 1,
        mcp_servers: 1,
        knowledge_sources: 2,
        jobs: 2,
        files: 2,
      })
    })

    it('refuses a second agent of the same id and leaves the first one and its knowledge as they were', async () => {
      const storage = await open()
      const context = contextOf(storage)
      await addAgent(context, ANYBODY, AGENT)
      const before = await storage.db.selectFrom('jobs').selectAll().orderBy('id').execute()
      const knowledge = [{ id: 'crew', content: 'The captain is called Solveig.' }]
      await expect(addAgent(context, ANYBODY, { ...AGENT, knowledge })).rejects.toMatchObject({ code: 'conflict' })
      expect(await storage.db.selectFrom('jobs').selectAll().orderBy('id').execute()).toEqual(before)
    })

    it('makes one of two agents of the same id that are posted at once, whole', async () => {
      const storage = await open()
      const context = contextOf(storage)
      const knowledge = [{ id: 'crew', content: 'The captain is called Solveig.' }]
      const made = await Promise.allSettled([
        addAgent(context, ANYBODY, AGENT),
        addAgent(context, ANYBODY, { ...AGENT, knowledge }),
      ])
      const [added] = made.filter((outcome) => outcome.status === 'fulfilled')
      expect(made.filter(({ status }) => status === 'rejected')).toMatchObject([{ reason: { code: 'conflict' } }])
      const jobs = await storage.db.selectFrom('jobs').selectAll().orderBy('id').execute()
      expect(jobs.map(({ id, knowledge_id }) => ({ id: knowledge_id, job_id: id }))).toEqual(added!.value.sources)
    })
  })
}
