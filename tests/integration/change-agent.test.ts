// PATCH and DELETE of agents on both databases: merged as a whole or not at all, without losing one of two, and without a secret
// going elsewhere or to a later agent.
import { describe, expect, it } from 'vitest'
import { ANYBODY } from '../../api/services/access.ts'
import { addAgent } from '../../api/services/agents.ts'
import { changeAgent } from '../../api/services/change-agent.ts'
import type { ApiContext } from '../../api/services/context.ts'
import { deleteAgent, forgetDeletedAgents } from '../../api/services/delete-agent.ts'
import type { AgentPatch } from '../../contracts/schemas/agent-patch.ts'
import { deleteAgentRow, findAgent, getAgentOrThrow, getAgentSecrets, syncFileAgents } from '../../db/queries/agents.ts'
import { ensureDefaultConversation } from '../../db/queries/default-conversations.ts'
import { listDeletedAgents } from '../../db/queries/deleted-agents.ts'
import { getServerSecrets, listServers } from '../../db/queries/mcp-servers.ts'
import { forgetReplacedSecrets } from '../../db/queries/replaced-secrets.ts'
import { agentContext } from '../support/agent-context.ts'
import { dialects } from '../support/dialects.ts'
import { end, insert } from '../support/turn-rows.ts'

const id = 'clerk'
const AGENT = {
  id,
  description: 'Helps.',
  system_message: 'Help.',
  model: {
    provider: 'openai' as const,
    model: 'gpt',
    api_key: 'sk-of-the-clerk',
    temperature: 0.5,
    fallbacks: [{ provider: 'anthropic' as const, model: 'claude', api_key: 'sk-of-the-fallback' }],
  },
  memory: { buffer: { max_size: 5, buffer_multiplier: 3 }, long_term: true },
  mcp_servers: [{ name: 'crm', url: 'https://crm.example.org/mcp', credentials: { TOKEN: 'sk-of-the-crm' } }],
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    async function open(more: Partial<ApiContext> = {}) {
      const storage = await (await dialect.fresh()).open()
      const context = agentContext(storage, more)
      await addAgent(context, ANYBODY, AGENT)
      const patch = (change: AgentPatch) => changeAgent(context, ANYBODY, id, change)
      const read = () => getAgentOrThrow(storage.db, id)
      const secrets = async () => getAgentSecrets(storage.db, storage.box, id, (await read()).version)
      return { context, storage, db: storage.db, patch, read, secrets }
    }

    it('merges nested objects, removes what is null, and keeps everything else with its secrets', async () => {
      const { patch, read, secrets, db, storage } = await open()
      const changed = await patch({ model: { temperature: null, top_p: 0.9 }, memory: { long_term: false } })
      expect(changed).toMatchObject({ version: 2, description: 'Helps.' })
      const { config } = await read()
      expect(config).toMatchObject({
        system_message: 'Help.',
        model: { provider: 'openai', model: 'gpt', top_p: 0.9 },
        memory: { buffer: 5, buffer_multiplier: 3, long_term: false },
      })
      expect(config.model).not.toHaveProperty('temperature')
      expect(JSON.stringify(config)).not.toContain('sk-')
      expect(await secrets()).toEqual({
        'model.api_key': 'sk-of-the-clerk',
        'model.fallbacks.0.api_key': 'sk-of-the-fallback',
      })
      const [server] = await listServers(db, id)
      expect(await getServerSecrets(db, storage.box, server!)).toEqual({ 'credentials.TOKEN': 'sk-of-the-crm' })
      expect((await patch({})).version).toBe(2)
      expect((await patch({ id, description: 'Helps.', model: { top_p: 0.9 } })).version, 'nothing changes').toBe(2)
      await patch({ model: null })
      expect((await read()).config.model).toBeUndefined()
      expect(await secrets()).toEqual({})
    })

    it('drops a stored credential when its model or server goes elsewhere', async () => {
      const { patch, secrets, storage, db } = await open()
      for (const change of [
        { model: { base_url: 'http://127.0.0.1:9/v1' } },
        { model: { base_url: null, provider: 'ollama' as const } },
      ]) {
        await patch({ model: { provider: 'openai', api_key: 'sk-of-the-clerk', base_url: null } })
        expect(await secrets()).toHaveProperty(['model.api_key'])
        await patch(change)
        expect(await secrets()).toEqual({ 'model.fallbacks.0.api_key': 'sk-of-the-fallback' })
      }
      await patch({ mcp_servers: [{ name: 'crm', url: 'https://other.example.org/mcp' }] })
      const [moved] = await listServers(db, id)
      expect(await getServerSecrets(db, storage.box, moved!)).toEqual({})
      await patch({ mcp_servers: [] })
      expect(await listServers(db, id)).toEqual([])
    })

    it('refuses what the merged configuration must not be, by its path, and changes nothing', async () => {
      const { patch, read } = await open({ apiEnv: { ALLOWED: 'sk-of-the-operator' } })
      const refused = (path: string) => ({ details: { fields: [expect.objectContaining({ path })] } })
      const elsewhere = { base_url: 'https://models.example.org' }
      for (const [change, path, code] of [
        [{ id: 'another' }, 'id', 'bad_request'],
        [{ model: elsewhere }, 'model.api_key', 'unprocessable'],
        [{ model: { ...elsewhere, api_key: '${ALLOWED}' } }, 'model.api_key', 'unprocessable'],
        [{ model: { ...elsewhere, api_key: 'x${ALLOWED}' } }, 'model.api_key', 'unprocessable'],
        [{ agent_tools: [id] }, 'agent_tools.0', 'unprocessable'],
        [{ memory: { long_term: 'sqlite:///x' } }, 'memory.long_term', 'bad_request'],
        [{ mcp_servers: [{ name: 'builtin', url: 'https://x.example.org' }] }, 'mcp_servers.0.name', 'unprocessable'],
      ] as [AgentPatch, string, string][])
        await expect(patch(change), JSON.stringify(change)).rejects.toMatchObject({ code, ...refused(path) })
      await expect(patch({ model: { api_key: '${HOME}' } })).rejects.toMatchObject({ code: 'unprocessable' })
      await expect(patch({ mcp_servers: [{ name: 'sh', command: 'sh' }] })).rejects.toMatchObject({ code: 'forbidden' })
      expect(await read()).toMatchObject({ version: 1 })
      await patch({ model: null })
      await expect(patch({ model: { temperature: 1 } })).rejects.toMatchObject({ code: 'unprocessable' })
      expect(await read()).toMatchObject({ version: 2 })
    })

    it('replaces the variables in secrets that the operator allows, once, and refuses any other', async () => {
      const apiEnv = { ALLOWED: 'sk-${HOME}-$${', UNSET: undefined }
      const { patch, secrets, read, storage, db } = await open({ apiEnv })
      const url = 'https://crm.example.org/mcp'
      const listed = { id: 'key', param_name: 'KEY' }
      await patch({
        model: { api_key: 'a $${ALLOWED} b ${ALLOWED}' },
        mcp_servers: [
          { name: 'crm', url, credentials: { Authorization: 'Bearer ${ALLOWED}' } },
          { name: 'list', url, credentials: [{ ...listed, env_fallback: 'ALLOWED' }] },
          { name: 'given', url, credentials: [{ ...listed, env_fallback: 'HOME', value: 'x${ALLOWED}' }] },
          { name: 'optional', url, credentials: [{ ...listed, env_fallback: 'UNSET' }] },
        ],
      })
      expect(await secrets()).toMatchObject({ 'model.api_key': 'a ${ALLOWED} b sk-${HOME}-$${' })
      const stored: Record<string, unknown> = {}
      for (const row of await listServers(db, id)) stored[row.name] = await getServerSecrets(db, storage.box, row)
      expect(stored).toEqual({
        crm: { 'credentials.Authorization': 'Bearer sk-${HOME}-$${' },
        list: { 'credentials.0.value': 'sk-${HOME}-$${' },
        given: { 'credentials.0.value': 'xsk-${HOME}-$${' },
        optional: {},
      })
      for (const [change, path] of [
        [{ model: { api_key: 'a${HOME}' } }, 'model.api_key'],
        [{ model: { api_key: 'a${HOME' } }, 'model.api_key'],
        [{ mcp_servers: [{ name: 'a', url, credentials: { K: 'a ${HOME}' } }] }, 'mcp_servers.0.credentials.K'],
        [{ mcp_servers: [{ name: 'a', url, credentials: { K: 'a ${UNSET}' } }] }, 'mcp_servers.0.credentials.K'],
        [
          { mcp_servers: [{ name: 'a', url, credentials: [{ ...listed, env_fallback: 'HOME' }] }] },
          'mcp_servers.0.credentials.0.env_fallback',
        ],
        [{ mcp_servers: [{ name: 'a', url, credentials: { K: 'a\r\nX: b' } }] }, 'mcp_servers.0.credentials.K'],
      ] as [AgentPatch, string][])
        await expect(patch(change), JSON.stringify(change)).rejects.toMatchObject({
          code: 'unprocessable',
          details: { fields: [{ path }] },
        })
      expect(await read()).toMatchObject({ version: 2 })
    })

    it('loses none of two changes at once', async () => {
      const { patch, read } = await open()
      await Promise.all([
        patch({ id, description: 'Helps much.' }),
        patch({ system_message: 'Help much.' }),
        patch({ model: { temperature: 1 } }),
        patch({ memory: { buffer: { max_size: 7 } } }),
      ])
      expect(await read()).toMatchObject({
        version: 5,
        config: {
          description: 'Helps much.',
          system_message: 'Help much.',
          model: { temperature: 1 },
          memory: { buffer: 7 },
        },
      })
    })

    it('a day after a version was replaced its secrets are deleted, unless a turn runs with it', async () => {
      const { patch, storage, db } = await open()
      const secretsOf = (version: number) => getAgentSecrets(db, storage.box, id, version)
      const turn = await insert(storage, await ensureDefaultConversation(db, id, 'user'), {
        agent_id: id,
        agent_version: 1,
      })
      for (const key of ['sk-second', 'sk-third']) await patch({ model: { api_key: key } })
      await forgetReplacedSecrets(db, new Date(Date.now() - 86_400_000).toISOString())
      expect(await secretsOf(2)).toHaveProperty(['model.api_key'], 'sk-second')
      const tomorrow = new Date(Date.now() + 60_000).toISOString()
      await forgetReplacedSecrets(db, tomorrow)
      expect(await secretsOf(2)).toEqual({})
      expect(await secretsOf(1)).toHaveProperty(['model.api_key'], 'sk-of-the-clerk')
      await end(storage, turn, 'completed')
      await forgetReplacedSecrets(db, tomorrow)
      expect(await secretsOf(1)).toEqual({})
      expect(await secretsOf(3)).toHaveProperty(['model.api_key'], 'sk-third')
    })

    it('leaves no secret, server or memory of a deleted agent to the next one of its id', async () => {
      const { context, db, storage } = await open()
      await deleteAgent(context, id)
      expect(await findAgent(db, id)).toBeUndefined()
      const secrets = await db.selectFrom('secrets').select('name').execute()
      expect(secrets.filter(({ name }) => name.includes(`/${id}/`))).toEqual([])
      expect(await listServers(db, id)).toEqual([])
      await expect(deleteAgent(context, id)).rejects.toMatchObject({ code: 'not_found' })
      const { mcp_servers: _, model: _model, ...plain } = AGENT
      const { agent } = await addAgent(context, ANYBODY, plain)
      expect(agent.version).toBe(2)
      expect(agent.created_at).toBe(agent.updated_at)
      expect(await getAgentSecrets(db, storage.box, id, 2)).toEqual({})
    })

    it('finishes an interrupted deletion at the next start', async () => {
      const { context, db } = await open()
      const stamp = new Date().toISOString()
      const of = { agent_id: id, user_id: 'anna', conversation_id: `conv_${'0'.repeat(32)}` }
      await db
        .insertInto('memories')
        .values({ ...of, id: 'mem_1', message_id: 'msg_1', role: 'user', said_at: stamp })
        .execute()
      await forgetDeletedAgents(context)
      expect(await db.selectFrom('memories').select('id').execute()).toHaveLength(1)
      await db.transaction().execute((tx) => deleteAgentRow(tx, id))
      const { mcp_servers: _, model: _model, ...plain } = AGENT
      const creating = () => addAgent(context, ANYBODY, plain)
      await expect(creating()).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('is being deleted'),
      })
      await forgetDeletedAgents(context)
      expect(await db.selectFrom('memories').select('id').execute()).toEqual([])
      expect((await creating()).agent.version).toBe(2)
    })

    it('leaves the id of a deleted agent free only when its turns have ended', async () => {
      const { context, db, storage } = await open()
      const turn = await insert(storage, await ensureDefaultConversation(db, id, 'anna'), { agent_id: id })
      await db.transaction().execute((tx) => deleteAgentRow(tx, id))
      expect(await listDeletedAgents(db)).toEqual([id])
      const { mcp_servers: _, model: _model, ...plain } = AGENT
      await expect(addAgent(context, ANYBODY, plain)).rejects.toMatchObject({ code: 'conflict' })
      await end(storage, turn, 'failed')
      expect(await listDeletedAgents(db)).toEqual([])
      expect((await addAgent(context, ANYBODY, plain)).agent.version).toBe(2)
    })

    it('keeps no credential of an agent whose file was removed', async () => {
      const { db, read, storage } = await open()
      const config = { ...(await read()).config, id: 'filed' }
      const filed = { id: 'filed', config, secrets: { 'model.api_key': 'sk-of-the-file' }, file: 'filed.yaml' }
      await syncFileAgents(db, storage.box, [filed])
      expect(await getAgentSecrets(db, storage.box, 'filed', 1)).toEqual(filed.secrets)
      await syncFileAgents(db, storage.box, [])
      expect(await getAgentSecrets(db, storage.box, 'filed', 1)).toEqual({})
      await syncFileAgents(db, storage.box, [filed])
      expect(await getAgentSecrets(db, storage.box, 'filed', 2)).toEqual(filed.secrets)
    })

    it('changes and deletes no agent of a file', async () => {
      const { context, db, read, storage } = await open()
      const config = { ...(await read()).config, id: 'filed' }
      await syncFileAgents(db, storage.box, [{ id: 'filed', config, secrets: {}, file: 'filed.yaml' }])
      const conflict = { code: 'conflict', message: expect.stringContaining("'filed.yaml'") }
      await expect(changeAgent(context, ANYBODY, 'filed', { description: 'x' })).rejects.toMatchObject(conflict)
      await expect(deleteAgent(context, 'filed')).rejects.toMatchObject(conflict)
      expect(await getAgentOrThrow(db, 'filed')).toMatchObject({ version: 1 })
    })
  })
}
