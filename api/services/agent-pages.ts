// Pages of the list of agents, which is asked for often and changes seldom: made once, until any list changes in any process.
import { createHash } from 'node:crypto'
import { mapAll } from '../../contracts/map-all.ts'
import { listAgents } from '../../db/queries/agents.ts'
import { findNewestChange } from '../../db/queries/changes.ts'
import { page } from '../plugin.ts'
import { viewAgentBriefly } from './agents.ts'
import type { ApiContext } from './context.ts'

/** On Postgres a change may become visible after a newer one: a page is made again after so many milliseconds. */
const FRESH_MS = 800
const MOST_PAGES = 100

export interface AgentPage {
  json: string
  etag: string
}

interface Entry {
  change: string
  until: number
  page: Promise<AgentPage>
}

export class AgentPages {
  readonly #context: Pick<ApiContext, 'storage'>
  readonly #known = new Map<string, Entry>()
  /** The newest change, and the version of the database before it was read. */
  #newest: { version: string | undefined; change: string } | undefined

  constructor(context: Pick<ApiContext, 'storage'>) {
    this.#context = context
  }

  /** What was committed before the call is in it; on Postgres perhaps only 0.8 s later. */
  async find(limit: number, cursor: string | undefined): Promise<AgentPage> {
    const change = await this.#findChange()
    const name = `${limit}/${cursor ?? ''}`
    const known = this.#known.get(name)
    if (known && known.change === change && known.until > Date.now()) return known.page
    const made = this.#make(limit, cursor)
    if (this.#known.size >= MOST_PAGES) this.#known.clear()
    this.#known.set(name, { change, until: Date.now() + FRESH_MS, page: made })
    made.catch(() => this.#known.delete(name))
    return made
  }

  async #findChange(): Promise<string> {
    const { db, version: versionOf } = this.#context.storage
    const version = versionOf()
    if (version !== undefined && this.#newest?.version === version) return this.#newest.change
    const change = String(await findNewestChange(db))
    this.#newest = { version, change }
    return change
  }

  async #make(limit: number, cursor: string | undefined): Promise<AgentPage> {
    const rows = await listAgents(this.#context.storage.db, limit + 1, cursor)
    const { items, ...rest } = page(rows, limit, ({ id }) => id)
    const json = JSON.stringify({
      agents: await mapAll(items, (agent) => viewAgentBriefly(this.#context, agent)),
      ...rest,
    })
    return { json, etag: `"${createHash('sha256').update(json).digest('base64url').slice(0, 27)}"` }
  }
}
