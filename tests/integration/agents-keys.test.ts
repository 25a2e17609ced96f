// Agents and keys in rows, on both databases; two storages on one database stand for two processes.
import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { ensureKey } from '../../composition/ensure-key.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'
import {
  createAgent,
  getAgentOrThrow,
  getAgentSecrets,
  getAgentStats,
  getAgentVersion,
  listAgents,
  syncFileAgents,
} from '../../db/queries/agents.ts'
import { createConversation } from '../../db/queries/conversations.ts'
import {
  countKeys,
  createFirstKey,
  createKey,
  createTicket,
  deleteKey,
  findPrincipal,
  findValidHashes,
  listKeys,
  redeemTicket,
  rotateKey,
} from '../../db/queries/keys.ts'
import { DamagedColumn } from '../../db/json-column.ts'
import type { Db } from '../../db/schema.ts'
import { dialects } from '../support/dialects.ts'

const silent = pino({ level: 'silent' })

const times = (n: number) => Array.from({ length: n }, (_, index) => index)

const hashOf = async (db: Db, secret: string) => (await findPrincipal(db, secret))!.key_hash

function anAgent(id: string, description = 'Helps.') {
  return {
    id,
    config: resolveAgent({ id, description, system_message: 'Help.' }, id),
    secrets: { 'model.api_key': `secret of ${id}` },
  }
}

for (const dialect of dialects) {
  describe(dialect.name, () => {
    const open = async () => {
      const database = await dialect.fresh()
      return [await database.open(), await database.open()] as const
    }

    it('keeps versions of an agent, and the credentials of each', async () => {
      const [a, b] = await open()
      const file = (description: string) => [{ ...anAgent('helper', description), file: 'helper.yaml' }]
      await syncFileAgents(a.db, a.box, file('Helps.'))
      await syncFileAgents(b.db, b.box, file('Helps.'))
      expect(await getAgentOrThrow(a.db, 'helper')).toMatchObject({ version: 1, description: 'Helps.', source: 'file' })
      await syncFileAgents(a.db, a.box, file('Helps better.'))
      expect(await getAgentOrThrow(a.db, 'helper')).toMatchObject({ version: 2, description: 'Helps better.' })
      expect((await getAgentVersion(a.db, 'helper', 1)).config.description).toBe('Helps.')
      expect(await getAgentSecrets(a.db, a.box, 'helper', 2)).toEqual({ 'model.api_key': 'secret of helper' })
      await syncFileAgents(a.db, a.box, [])
      expect(await listAgents(a.db, 10, undefined)).toEqual([])
    })

    it('keeps where each version came from, also when another source takes the id', async () => {
      const [a] = await open()
      const file = [{ ...anAgent('helper'), file: 'helper.yaml' }]
      await syncFileAgents(a.db, a.box, file)
      await syncFileAgents(a.db, a.box, [])
      await a.db.transaction().execute((tx) => createAgent(tx, a.box, anAgent('helper', 'Of the API.')))
      expect((await getAgentOrThrow(a.db, 'helper')).source).toBe('api')
      expect((await getAgentVersion(a.db, 'helper', 1)).source).toBe('file')
      expect((await getAgentVersion(a.db, 'helper', 2)).source).toBe('api')
    })

    it('names the row when the stored config of an agent is damaged, and shows nothing of it', async () => {
      const [a] = await open()
      await a.db.transaction().execute((tx) => createAgent(tx, a.box, anAgent('helper')))
      await a.db.updateTable('agent_versions').set({ config: '{"system_message": "private"}' }).execute()
      const refusal = await getAgentOrThrow(a.db, 'helper').catch((error: unknown) => error)
      expect(refusal).toBeInstanceOf(DamagedColumn)
      expect(String(refusal)).toMatch(/Cannot read 'agent_versions.config' of 'helper\/1': '\w+' must be given/)
      expect(String(refusal)).not.toContain('private')
    })

    it('finds the credentials of one version and of no other', async () => {
      const [a] = await open()
      const version = (n: number) => ({ ...anAgent('a', `${n}`), secrets: { key: `${n}` }, file: 'a.yaml' })
      for (const n of times(11)) await syncFileAgents(a.db, a.box, [version(n)])
      await syncFileAgents(a.db, a.box, [version(10), { ...anAgent('a.b'), file: 'b.yaml' }])
      expect(await getAgentSecrets(a.db, a.box, 'a', 1)).toEqual({ key: '0' })
      expect(await getAgentSecrets(a.db, a.box, 'a', 11)).toEqual({ key: '10' })
    })

    it('loads the same files in several processes that start at once', async () => {
      const [a, b] = await open()
      const files = times(5).map((n) => ({ ...anAgent(`agent-${n}`), file: `${n}.yaml` }))
      await Promise.all(times(6).map((n) => syncFileAgents((n % 2 ? a : b).db, a.box, files)))
      expect((await listAgents(a.db, 10, undefined)).map(({ id, version }) => `${id} ${version}`)).toEqual(
        times(5).map((n) => `agent-${n} 1`),
      )
    })

    it('creates an agent once, for concurrent requests', async () => {
      const [a, b] = await open()
      const make = (n: number) =>
        (n % 2 ? a : b).db.transaction().execute((tx) => createAgent(tx, a.box, anAgent('mine')))
      const made = await Promise.allSettled(times(6).map(make))
      expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const outcome of made)
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict' })
    })

    it('counts in numbers', async () => {
      const [a] = await open()
      await createConversation(a.db, { agent_id: 'helper', user_id: 'one' })
      await createConversation(a.db, { agent_id: 'helper', user_id: 'one' })
      await createConversation(a.db, { agent_id: 'helper', user_id: 'two' })
      expect(await getAgentStats(a.db, 'helper')).toEqual({ conversations: 3, total_messages: 0, active_users: 2 })
      expect(await countKeys(a.db)).toBe(0)
    })

    it('creates a first key once, in several processes that start concurrently, and not when there is one', async () => {
      const [a, b] = await open()
      const first = { name: 'first', scopes: ['admin'] as const }
      const made = (await Promise.all(times(6).map((n) => createFirstKey((n % 2 ? a : b).db, first)))).filter(
        (secret) => secret !== undefined,
      )
      expect(made).toHaveLength(1)
      expect((await findPrincipal(b.db, made[0]!))?.scopes.has('admin')).toBe(true)
      expect(await countKeys(a.db)).toBe(1)
      expect(await createFirstKey(a.db, first)).toBeUndefined()
    })

    it('rotates a key with a grace, and deletes every secret of it', async () => {
      const [a, b] = await open()
      const { key, secret } = await createKey(a.db, { name: 'k', scopes: ['chat'] })
      const rotated = await Promise.all([rotateKey(a.db, key.id, 60), rotateKey(b.db, key.id, 60)])
      const secrets = [secret, ...rotated.map((each) => each.secret)]
      for (const each of secrets) expect((await findPrincipal(b.db, each))?.key_id).toBe(key.id)
      expect((await listKeys(a.db, 10, undefined)).map(({ id }) => id)).toEqual([key.id])
      const outcomes = await Promise.allSettled([deleteKey(a.db, key.id), rotateKey(b.db, key.id, 60)])
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'not_found' })
      const late = outcomes[1].status === 'fulfilled' ? [outcomes[1].value.secret] : []
      for (const each of [...secrets, ...late]) expect(await findPrincipal(b.db, each)).toBeUndefined()
    })

    it('ends every earlier secret of a key with the grace of its last rotation', async () => {
      const [a, b] = await open()
      const { key, secret } = await createKey(a.db, { name: 'k', scopes: ['chat'] })
      const second = await rotateKey(a.db, key.id, 3_600)
      await rotateKey(b.db, key.id, 60)
      const ends = await a.db.selectFrom('api_keys').select('expires_at').where('alias_of', '=', key.id).execute()
      expect(ends).toHaveLength(2)
      for (const { expires_at } of ends) expect(Date.parse(expires_at!)).toBeLessThanOrEqual(Date.now() + 60_000)
      await rotateKey(a.db, key.id, 0)
      for (const each of [secret, second.secret]) expect(await findPrincipal(b.db, each)).toBeUndefined()
      expect(await countKeys(a.db)).toBe(1)
    })

    it('gives the configured secret all scopes at each start, also after rotations of its key', async () => {
      const [a, b] = await open()
      const start = (key: boolean | string) => ensureKey(a.db, key, silent)
      const owner = async (secret: string) => (await findPrincipal(b.db, secret))?.key_id
      await start('of the settings')
      const { secret } = await rotateKey(a.db, 'key_configured', 60)
      await start('of the settings')
      expect(await owner('of the settings')).toBe('key_configured')
      expect(await owner(secret)).toBeUndefined()
      await rotateKey(a.db, 'key_configured', 60)
      await a.db.updateTable('api_keys').set({ expires_at: '2026-01-01' }).where('alias_of', 'is not', null).execute()
      await start('of the settings')
      expect(await owner('of the settings')).toBe('key_configured')
      expect(await countKeys(a.db)).toBe(1)
    })

    it('ends a configured secret that is taken out of the settings, with those before its rotations', async () => {
      const [a, b] = await open()
      const start = (key: boolean | string) => ensureKey(a.db, key, silent)
      for (const next of ['another one', false, true] as const) {
        await start('of the settings')
        const { secret } = await rotateKey(a.db, 'key_configured', 60)
        const made = await start(next)
        for (const each of ['of the settings', secret]) expect(await findPrincipal(b.db, each)).toBeUndefined()
        expect(made === undefined).toBe(next !== true)
      }
      expect((await listKeys(a.db, 10, undefined)).map(({ id }) => id)).toEqual(['key_first'])
    })

    it('refuses a configured secret that belongs to a key with smaller rights, and lets a key with all scopes keep it', async () => {
      const [a, b] = await open()
      const start = (key: boolean | string) => ensureKey(a.db, key, silent)
      const smaller = [{ scopes: ['chat'] }, { user_id: 'anna' }, { networks: ['10.0.0.0/8'] }] as const
      for (const rights of smaller) {
        const { key, secret } = await createKey(a.db, { name: 'shop', scopes: ['admin'], ...rights })
        await expect(start(secret)).rejects.toThrow(`got that of the key '${key.id}' ('shop')`)
        await rotateKey(a.db, key.id, 60)
        await expect(start(secret)).rejects.toThrow(`got that of the key '${key.id}'`)
        await rotateKey(a.db, key.id, 0)
      }
      await start('of the settings')
      const { key, secret } = await createKey(a.db, { name: 'root', scopes: ['admin'] })
      await start(secret)
      expect(await findPrincipal(b.db, secret)).toMatchObject({ key_id: key.id })
      expect(await findPrincipal(b.db, 'of the settings')).toBeUndefined()
      await rotateKey(a.db, key.id, 60)
      await start(secret)
      expect(await findPrincipal(b.db, secret)).toMatchObject({ key_id: 'key_configured' })
    })

    it('stores the configured key in several processes that start concurrently', async () => {
      const [a, b] = await open()
      await Promise.all(times(6).map((n) => ensureKey((n % 2 ? a : b).db, 'of the settings', silent)))
      expect((await findPrincipal(b.db, 'of the settings'))?.key_id).toBe('key_configured')
      expect(await countKeys(a.db)).toBe(1)
    })

    it('accepts a ticket once', async () => {
      const [a, b] = await open()
      const { key, secret } = await createKey(a.db, { name: 'k', scopes: ['chat'] })
      const { ticket } = await createTicket(a.db, await hashOf(a.db, secret))
      const redeemed = await Promise.all(times(6).map((n) => redeemTicket((n % 2 ? a : b).db, ticket)))
      expect(redeemed.filter(Boolean)).toMatchObject([{ key_id: key.id }])
    })

    it('binds a ticket to the secret it was created with, and lists the valid secrets', async () => {
      const [a, b] = await open()
      const { key, secret } = await createKey(a.db, { name: 'k', scopes: ['chat'] })
      const graced = await rotateKey(b.db, key.id, 60)
      const hashes = [await hashOf(a.db, secret), await hashOf(a.db, graced.secret)]
      const valid = async () => [...(await findValidHashes(b.db, [...hashes, 'unknown']))].toSorted()
      expect(await valid()).toEqual(hashes.toSorted())
      const [first, older, newer] = await Promise.all([0, 0, 1].map((n) => createTicket(a.db, hashes[n]!)))
      expect((await redeemTicket(a.db, first!.ticket))?.key_id).toBe(key.id)
      await rotateKey(b.db, key.id, 0)
      expect(await valid()).toEqual([])
      expect(await redeemTicket(a.db, older!.ticket)).toBeUndefined()
      expect(await redeemTicket(a.db, newer!.ticket)).toBeUndefined()
      const expired = { name: 'e', scopes: ['chat'] as const, expires_at: new Date(Date.now() + 50).toISOString() }
      const { secret: short } = await createKey(a.db, expired)
      hashes.splice(0, 2, await hashOf(a.db, short))
      await expect.poll(valid).toEqual([])
      await deleteKey(a.db, key.id)
      expect(await findValidHashes(a.db, [])).toEqual(new Set())
    })
  })
}
