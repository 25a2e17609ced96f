// The MCP servers that are owned by this worker, and its lease heartbeat to the other workers.
import { setTimeout as delay } from 'node:timers/promises'
import type { McpRelease, McpServerRef } from '../../contracts/mcp.ts'
import { raceSignal } from '../../contracts/signals.ts'
import {
  changeServer,
  listHeldBy,
  listOtherWorkers,
  removeWorker,
  renewWorker,
  takeServer,
} from '../../db/queries/mcp-owners.ts'
import { listUnheldServers } from '../../db/queries/mcp-servers.ts'
import type { Db } from '../../db/schema.ts'
import type { SecretBox } from '../../db/secret-box.ts'
import { OwnedServer, type HolderOptions } from './owned-server.ts'
import { Slots } from '../../contracts/slots.ts'

/** Interval of the lease heartbeat and of the poll for requests, in milliseconds. */
const LOOK_MS = 2_000
/** A worker without a heartbeat for this long is considered dead, in milliseconds. */
const DEAD_MS = 7_000
/**
 * A server without an owner for this long was assigned to a worker that cannot take it, such as a partitioned one; in
 * milliseconds.
 */
const UNTAKEN_MS = 12_000
/** Drain timeout of calls when the worker stops, in milliseconds. */
const DRAIN_MS = 4_000
/** Concurrent starts of servers only to list their tools. */
const LISTINGS = 4

/** The reason for which a server is released. */
class Released extends Error {
  readonly how: McpRelease
  constructor(how: McpRelease) {
    super(how)
    this.how = how
  }
}

/** The worker stops: others take over its servers. */
export class HolderEnds extends Error {
  override readonly name = 'HolderEnds'
}

export class OwnedServers {
  /** The task queue of calls to the owned servers. */
  readonly queue: string
  readonly #db: Db
  readonly #box: SecretBox
  readonly #options: HolderOptions
  readonly #held = new Map<string, { server: OwnedServer; end: AbortController }>()
  readonly #listings = new Slots(LISTINGS)
  readonly #ending = new AbortController()
  /** When another worker's heartbeat last changed, by the local clock: the clocks of machines differ. */
  readonly #seen = new Map<string, { seen_at: string; at: number }>()

  /** Since when servers have had no owner. */
  readonly #untaken = new Map<string, number>()

  constructor({ db, box }: { db: Db; box: SecretBox }, queue: string, options: HolderOptions) {
    this.#db = db
    this.#box = box
    this.queue = queue
    this.#options = options
  }

  find(ref: McpServerRef): OwnedServer | undefined {
    return this.#held.get(keyOf(ref))?.server
  }

  /**
   * Owns a server until another worker does, or it changes; returns the reason. @throws HolderEnds, or the signal's reason
   */
  async hold(ref: McpServerRef, signal: AbortSignal): Promise<McpRelease> {
    const key = keyOf(ref)
    // A newer attempt in the same process: it replaces the older one.
    this.#held.get(key)?.end.abort(new Released('taken'))
    const hold = await this.#db.transaction().execute((tx) => takeServer(tx, this.#box, ref, this.queue))
    if (!hold) return 'removed'
    const entry = { server: new OwnedServer(this.#db, hold, this.#options, this.#listings), end: new AbortController() }
    this.#held.set(key, entry)
    const until = AbortSignal.any([signal, entry.end.signal, this.#ending.signal])
    try {
      await entry.server.run(until)
      return 'changed'
    } catch (error) {
      if (until.reason instanceof Released) return until.reason.how
      throw until.aborted ? until.reason : error
    } finally {
      if (this.#held.get(key) === entry) this.#held.delete(key)
      await changeServer(this.#db, hold, {
        state: 'waiting',
        worker: null,
        pid: null,
        connected_at: null,
        active_requests: 0,
      })
    }
  }

  /**
   * Sends lease heartbeats, releases servers that have another owner, and detects dead workers, until the signal aborts.
   * @param onLost is called with the servers that a dead worker owned
   */
  async run(onLost: (servers: McpServerRef[]) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#look(onLost)
      } catch (error) {
        this.#options.log.warn({ err: error }, 'could not look after the MCP servers; trying again')
      }
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  async #look(onLost: (servers: McpServerRef[]) => Promise<void>): Promise<void> {
    await renewWorker(this.#db, this.queue)
    const rows = new Map((await listHeldBy(this.#db, this.queue)).map((row) => [keyOf(row), row]))
    for (const [key, { server, end }] of this.#held) {
      const row = rows.get(key)
      if (row?.epoch !== server.hold.epoch) end.abort(new Released('taken'))
      else if (row.revision !== server.hold.revision) end.abort(new Released('changed'))
      else {
        if (row.wanted_at !== null) server.want()
        await server.flush()
      }
    }
    const now = performance.now()
    const others = await listOtherWorkers(this.#db, this.queue)
    for (const id of this.#seen.keys()) if (!others.some((each) => each.id === id)) this.#seen.delete(id)
    for (const { id, seen_at } of others) {
      const before = this.#seen.get(id)
      if (before?.seen_at !== seen_at) this.#seen.set(id, { seen_at, at: now })
      else if (now - before.at > DEAD_MS) {
        const lost = await this.#db.transaction().execute((tx) => removeWorker(tx, id))
        this.#options.log.warn({ worker: id, servers: lost.length }, 'a worker that owned MCP servers has died')
        await onLost(lost)
      }
    }
    await this.#lookForUntaken(onLost, now)
  }

  async #lookForUntaken(onLost: (servers: McpServerRef[]) => Promise<void>, now: number): Promise<void> {
    const untaken = await listUnheldServers(this.#db)
    const keys = new Set(untaken.map(keyOf))
    for (const key of this.#untaken.keys()) if (!keys.has(key)) this.#untaken.delete(key)
    const forgotten = untaken.filter((ref) => {
      const since = this.#untaken.get(keyOf(ref)) ?? now
      const isForgotten = now - since > UNTAKEN_MS
      this.#untaken.set(keyOf(ref), isForgotten ? now : since)
      return isForgotten
    })
    await onLost(forgotten)
  }

  /** Drains running calls for a few seconds, then closes every connection. */
  async end(): Promise<void> {
    const patience = AbortSignal.timeout(DRAIN_MS)
    while ([...this.#held.values()].some(({ server }) => server.active > 0) && !patience.aborted) {
      await delay(50, undefined, { signal: patience }).catch(() => undefined)
    }
    this.#ending.abort(new HolderEnds())
  }

  /** Removes the lease once nothing is owned, so that other workers need not wait for its timeout. */
  async leave(): Promise<void> {
    await raceSignal(
      this.#db.transaction().execute((tx) => removeWorker(tx, this.queue)),
      AbortSignal.timeout(DRAIN_MS),
    )
  }
}

function keyOf({ agent_id, name }: McpServerRef): string {
  return `${agent_id}/${name}`
}
