// MCP servers as one worker owns them, on both databases and with real programs: started when needed, stopped when idle.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { OwnedServer, StartFailure } from '../../activities/mcp/owned-server.ts'
import { SignIns } from '../../activities/mcp/sign-ins.ts'
import { Slots } from '../../contracts/slots.ts'
import type { McpServer } from '../../contracts/schemas/mcp-server.ts'
import { takeServer } from '../../db/queries/mcp-owners.ts'
import { findServer, putServer, requestStart } from '../../db/queries/mcp-servers.ts'
import { listTools } from '../../db/queries/mcp-tools.ts'
import type { Storage } from '../../db/storage.ts'
import { McpFailure } from '../../mcp/failure.ts'
import { readAnswer, textOfAnswer } from '../../mcp/result.ts'
import { isAlive } from '../support/is-alive.ts'
import { dialects } from '../support/dialects.ts'
import { FAULTY, NODE } from '../support/mcp-servers.ts'
import { tempDir } from '../support/temp-dir.ts'

const { signal } = new AbortController()
/** Less than a configuration may say. */
const IDLE_S = 0.25

for (const dialect of dialects) {
  describe(dialect.name, () => {
    it('a program is started to list its tools and stopped when no call comes; its tools stay', async () => {
      const { own, row, starts, storage } = await stage({ idle_stop: IDLE_S })
      const held = await own()
      await expect.poll(row).toMatchObject({ state: 'idle', pid: null, last_error: null, connected_at: null })
      expect((await listTools(storage.db, held.hold)).map(({ tool }) => tool)).toContain('count')
      expect(starts()).toHaveLength(1)
      expect(starts().filter(isAlive)).toEqual([])
      expect(held.down).toBeUndefined()
    })

    it('a list with an odd tool connects: the others are offered, and the row has the warning', async () => {
      const { own, row, storage } = await stage({ idle_stop: IDLE_S }, undefined, undefined, 'odd-tools')
      const held = await own()
      await expect.poll(row).toMatchObject({ state: 'idle', last_error: null })
      expect((await listTools(storage.db, held.hold)).map(({ tool }) => tool)).toEqual(['odd', 'count'])
      expect((await row())?.warnings).toMatch(/tool 2: its 'name' must be a string, got a number/)
    })

    it('a call starts it, further calls share it, and after the idle time it is stopped and no reconnect', async () => {
      const { own, row, starts, counted } = await stage({ idle_stop: IDLE_S })
      const held = await own()
      await expect.poll(row).toMatchObject({ state: 'idle' })
      expect(held.isStarting).toBe(true)
      await Promise.all(['a', 'b', 'c'].map((label) => count(held, label)))
      expect(counted().toSorted()).toEqual(['a', 'b', 'c'])
      expect(starts()).toHaveLength(2)
      await expect.poll(row).toMatchObject({ state: 'idle', pid: null, reconnects: 0 })
      expect(starts().filter(isAlive)).toEqual([])
    })

    it('a program is not stopped while a call goes on', async () => {
      const { own, row, starts } = await stage({ idle_stop: IDLE_S })
      const held = await own()
      expect(await count(held, 'long', 4 * IDLE_S * 1_000)).toBe('counted long')
      expect(starts()).toHaveLength(1)
      await expect.poll(row).toMatchObject({ state: 'idle' })
    })

    it('whose tools are known is not started by the next worker that owns it, unless it never stops', async () => {
      const { own, row, starts, storage } = await stage({ idle_stop: IDLE_S })
      await own()
      await expect.poll(row).toMatchObject({ state: 'idle' })
      await own('w2')
      await expect.poll(row).toMatchObject({ state: 'idle', worker: 'w2' })
      expect(starts()).toHaveLength(1)
      const always = await stage({ idle_stop: 'never' }, storage, 'always')
      const first = await always.own()
      await expect.poll(always.row).toMatchObject({ state: 'connected' })
      always.end(first)
      await always.own('w2')
      await expect.poll(always.row).toMatchObject({ state: 'connected', worker: 'w2' })
      expect(always.starts()).toHaveLength(2)
    })

    it('a request over the API starts an idle program, and is stored until it runs', async () => {
      const { own, row, starts, storage, ref } = await stage({ idle_stop: IDLE_S })
      const held = await own()
      await expect.poll(row).toMatchObject({ state: 'idle', wanted_at: null })
      await requestStart(storage.db, ref)
      expect((await row())?.wanted_at).toEqual(expect.any(String))
      held.want()
      await expect.poll(() => starts().length).toBe(2)
      await expect.poll(row).toMatchObject({ state: 'idle', wanted_at: null })
    })

    it('a call that comes while the program is being stopped waits for that and starts it again', async () => {
      const { own, starts, counted } = await stage({ idle_stop: IDLE_S }, undefined, 's', 'stubborn')
      const held = await own()
      expect(await count(held, 'early')).toBe('counted early')
      const [first = 0] = starts()
      // It ignores the end of its input and SIGTERM: stopping it takes three seconds.
      await expect.poll(() => held.isStarting, { interval: 10 }).toBe(true)
      expect(isAlive(first)).toBe(true)
      expect(await count(held, 'late')).toBe('counted late')
      expect(isAlive(first)).toBe(false)
      expect([counted(), starts().length]).toEqual([['early', 'late'], 2])
    })

    it('a start that fails is tried again within the time that a call has', async () => {
      const { own, row, counted, broken, starts } = await stage({ idle_stop: IDLE_S })
      const held = await own()
      await expect.poll(row).toMatchObject({ state: 'idle' })
      writeFileSync(broken, '')
      const calling = count(held, 'patient')
      await expect.poll(row).toMatchObject({ state: 'reconnecting' })
      rmSync(broken)
      expect(await calling).toBe('counted patient')
      expect([counted(), starts().length >= 3]).toEqual([['patient'], true])
    })

    it('a start that fails until the timeout of the call fails it with the reason, and is not retried without limit', async () => {
      const { own, row, broken, counted } = await stage({ idle_stop: IDLE_S, timeouts: { total: 2 } })
      const held = await own()
      await expect.poll(row).toMatchObject({ state: 'idle' })
      writeFileSync(broken, '')
      const error = await count(held, 'never').catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(StartFailure)
      expect(error).toMatchObject({ kind: 'unsent', message: expect.stringContaining('exit code 2') })
      await expect.poll(row).toMatchObject({ state: 'idle', last_error: expect.stringContaining('exit code 2') })
      rmSync(broken)
      expect(await count(held, 'later')).toBe('counted later')
      expect(counted()).toEqual(['later'])
      expect(await row()).toMatchObject({ last_error: null })
    })

    it('calls that wait for a start fail as unsent when the worker releases the server', async () => {
      const { own, row, end, slow } = await stage({ idle_stop: IDLE_S })
      const held = await own()
      await expect.poll(row).toMatchObject({ state: 'idle' })
      writeFileSync(slow, '30000')
      const calling = count(held, 'moved').catch((thrown: unknown) => thrown)
      await expect.poll(row).toMatchObject({ state: 'connecting' })
      end(held)
      const error = await calling
      expect(error).toMatchObject({ kind: 'unsent' })
      expect(error).toBeInstanceOf(McpFailure)
      expect(error).not.toBeInstanceOf(StartFailure)
      await expect(held.lend('u', signal)).rejects.toMatchObject({ kind: 'unsent' })
    })

    it('tools that have changed while the program was stopped have drifted after its next start', async () => {
      const { own, row, storage, file } = await stage({ idle_stop: IDLE_S })
      const held = await own()
      await expect.poll(row).toMatchObject({ state: 'idle' })
      writeFileSync(`${file}.drift`, '')
      await count(held, 'drifted')
      const tools = await listTools(storage.db, held.hold)
      expect(tools.filter(({ hash, approved_hash }) => hash !== approved_hash).map(({ tool }) => tool)).toEqual([
        'count',
      ])
    })

    it('few are started at once to list their tools, and one that a call needs does not wait for them', async () => {
      const storage = await (await dialect.fresh()).open()
      const slots = new Slots(2)
      const servers = await Promise.all(
        ['a', 'b', 'c', 'd'].map((name) => stage({ idle_stop: IDLE_S }, storage, name, 'silent', slots)),
      )
      const held = []
      for (const { own } of servers) held.push(await own())
      const started = () => servers.map(({ starts }) => starts().length)
      await expect.poll(started).toEqual([1, 1, 0, 0])
      void held[3]!.lend('u', signal).catch(() => undefined)
      await expect.poll(started).toEqual([1, 1, 0, 1])
    })

    it('tools of a built-in server are listed again by another version', async () => {
      const storage = await (await dialect.fresh()).open()
      const server: McpServer = { name: 'calculator', builtin: 'calculator', idle_stop: IDLE_S }
      const { own, row } = await stage(server, storage, 'calculator')
      const held = await own()
      await expect.poll(row).toMatchObject({ state: 'idle', listed_by: '1' })
      await storage.db.updateTable('mcp_servers').set({ listed_by: '0' }).execute()
      const next = await own('w2')
      await expect.poll(row).toMatchObject({ state: 'idle', worker: 'w2', listed_by: '1' })
      expect([held.hold.listed_by, next.hold.listed_by]).toEqual([null, '0'])
    })

    /** A server in the database, and what is to be known of its program. */
    async function stage(more: Partial<McpServer>, given?: Storage, name = 's', fault = 'none', slots = new Slots(4)) {
      const storage = given ?? (await (await dialect.fresh()).open())
      const file = join(tempDir(), 'counted')
      const ref = { agent_id: 'a', name }
      const { db, box } = storage
      const program = 'builtin' in more ? {} : { command: NODE, args: [FAULTY, fault, file] }
      const server = { name, ...program, ...more } as McpServer
      await db
        .transaction()
        .execute((tx) => putServer(tx, box, { agent_id: 'a', origin: 'config', server, secrets: {} }))
      const ends = new Map<OwnedServer, () => void>()
      return {
        storage,
        ref,
        file,
        broken: `${file}.broken`,
        slow: `${file}.slow`,
        row: () => findServer(db, ref),
        /** The process ids of its programs, in the order of their starts. */
        starts: () => lines(`${file}.starts`).map(Number),
        counted: () => lines(file),
        end: (held: OwnedServer) => ends.get(held)?.(),
        /** Has a worker take the server. */
        own: async (worker = 'w1'): Promise<OwnedServer> => {
          const hold = await db.transaction().execute((tx) => takeServer(tx, box, ref, worker))
          const held = new OwnedServer(db, hold!, optionsOf(storage), slots)
          const over = new AbortController()
          const running = held.run(over.signal).catch(() => undefined)
          ends.set(held, () => over.abort())
          onTestFinished(async () => {
            over.abort()
            await running
          })
          return held
        },
      }
    }
  })
}

function optionsOf(storage: Storage) {
  return {
    fetch,
    signIns: new SignIns(storage, { fetch, public_url: 'http://localhost' }),
    commands: ['*'],
    allow_private_urls: true,
    version: '1',
    max_message_bytes: 2 ** 20,
    ping_ms: 30_000,
    log: pino({ level: 'silent' }),
  }
}

async function count(held: OwnedServer, label: string, ms = 0): Promise<string> {
  const { connection, giveBack } = await held.lend('u', signal)
  try {
    const options = { owner: 't', signal, silence_ms: 10_000, total_ms: 20_000, onProgress: () => {} }
    return textOfAnswer(readAnswer(await held.call(connection, 'count', { label, ms }, options)))
  } finally {
    giveBack()
  }
}

function lines(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
}
