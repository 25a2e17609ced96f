// The rows of MCP servers, on both databases: changed only when something differs, held by one worker, forgotten with their secrets.
import { describe, expect, it } from 'vitest'
import type { McpServer } from '../../contracts/schemas/mcp-server.ts'
import {
  changeServer,
  listHeldBy,
  listOtherWorkers,
  removeWorker,
  renewWorker,
  takeServer,
} from '../../db/queries/mcp-owners.ts'
import { deleteServer, findServer, listServers, listUnheldServers, putServer } from '../../db/queries/mcp-servers.ts'
import { listToolsOfAgent, putTools } from '../../db/queries/mcp-tools.ts'
import type { Storage } from '../../db/storage.ts'
import { offeredTools } from '../../mcp/tools.ts'
import { dialects } from '../support/dialects.ts'

const REF = { agent_id: 'a', name: 's' }
const SERVER: McpServer = { name: 's', command: 'node', args: ['x'] }

const put = ({ db, box }: Storage, server: McpServer, secrets: Record<string, string> = {}) =>
  db.transaction().execute((tx) => putServer(tx, box, { agent_id: 'a', origin: 'config', server, secrets }))
const take = ({ db, box }: Storage, worker: string) =>
  db.transaction().execute((tx) => takeServer(tx, box, REF, worker))
const tools = (...names: string[]) =>
  offeredTools(
    's',
    names.map((name) => ({ name, inputSchema: { type: 'object' } })),
  ).tools

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('a server is new once, and changed when its configuration or a credential is', async () => {
      const storage = await (await dialect.fresh()).open()
      expect(await put(storage, SERVER, { 'env.T': 'one' })).toBe(true)
      expect(await put(storage, SERVER, { 'env.T': 'one' })).toBe(false)
      expect(await put(storage, SERVER, { 'env.T': 'two' })).toBe(true)
      expect(await put(storage, { ...SERVER, args: ['y'] }, {})).toBe(true)
      expect((await findServer(storage.db, REF))?.revision).toBe(3)
      expect((await take(storage, 'w'))?.secrets).toEqual({})
    })

    it('are listed page by page', async () => {
      const storage = await (await dialect.fresh()).open()
      for (const name of ['c', 'A', 'b', 'B_2', 'b-1']) await put(storage, { ...SERVER, name })
      const all = (await listServers(storage.db, 'a')).map(({ name }) => name)
      const read: string[] = []
      for (let cursor: string | undefined; read.length < 5; cursor = read.at(-1)) {
        const rows = await listServers(storage.db, 'a', { limit: 2, cursor })
        expect(rows).not.toEqual([])
        read.push(...rows.map(({ name }) => name))
      }
      expect(read).toEqual(all)
    })

    it('the credentials are encrypted, and deleted with the server', async () => {
      const storage = await (await dialect.fresh()).open()
      await put(storage, SERVER, { 'env.T': 'planted' })
      const rows = await storage.db.selectFrom('secrets').selectAll().execute()
      expect(rows.map(({ name }) => name)).toEqual(['mcp/a/s/env.T'])
      expect(JSON.stringify([rows, await findServer(storage.db, REF)])).not.toContain('planted')
      expect(await storage.db.transaction().execute((tx) => deleteServer(tx, REF))).toBe(true)
      expect(await storage.db.selectFrom('secrets').selectAll().execute()).toEqual([])
    })

    it('the worker that took a server last owns it, and writes of a previous owner are refused', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      await put(storage, SERVER)
      const old = (await take(storage, 'w1'))!
      const now = (await take(storage, 'w2'))!
      await changeServer(db, old, { state: 'connected', pid: 1 })
      expect(await db.transaction().execute((tx) => putTools(tx, old, tools('t'), '1'))).toBeUndefined()
      await changeServer(db, now, { state: 'connected', pid: 2 }, true)
      expect(await findServer(db, REF)).toMatchObject({ worker: 'w2', pid: 2, reconnects: 1, epoch: old.epoch + 1 })
      expect(await listHeldBy(db, 'w1')).toEqual([])
    })

    it('the servers of a dead worker are released to others', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      await put(storage, SERVER)
      await take(storage, 'silent')
      await renewWorker(db, 'w1')
      await renewWorker(db, 'w2')
      const others = await listOtherWorkers(db, 'w1')
      expect(others.map(({ id }) => id).toSorted()).toEqual(['silent', 'w2'])
      expect(await db.transaction().execute((tx) => removeWorker(tx, 'silent'))).toEqual([REF])
      expect(await listUnheldServers(db)).toEqual([REF])
    })

    it('each listing replaces the tools; a changed one has drifted, also when it was missing in between', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      await put(storage, SERVER)
      const hold = (await take(storage, 'w'))!
      const list = (listed: ReturnType<typeof tools>) =>
        db.transaction().execute((tx) => putTools(tx, hold, listed, '1'))
      expect(await list(tools('one', 'two'))).toEqual([])
      expect(await list(tools('two'))).toEqual([])
      expect((await listToolsOfAgent(db, 'a')).map(({ name }) => name)).toEqual(['s__two'])
      const other = offeredTools('s', [{ name: 'one', description: 'other', inputSchema: { type: 'object' } }]).tools
      expect(await list(other)).toEqual(['one'])
      // A change of the server approves its current tools.
      await put(storage, { ...SERVER, args: ['y'] })
      const anew = (await take(storage, 'w'))!
      expect(await db.transaction().execute((tx) => putTools(tx, anew, other, '1'))).toEqual([])
    })

    it('a built-in server does not drift: a newer muxi may change its tools', async () => {
      const storage = await (await dialect.fresh()).open()
      const { db } = storage
      await put(storage, { name: 's', builtin: 'calculator' })
      const hold = (await take(storage, 'w'))!
      const list = (listed: ReturnType<typeof tools>) =>
        db.transaction().execute((tx) => putTools(tx, hold, listed, '1'))
      await list(tools('one'))
      const newer = offeredTools('s', [{ name: 'one', description: 'newer', inputSchema: { type: 'object' } }]).tools
      expect(await list(newer)).toEqual([])
    })
  })
}
