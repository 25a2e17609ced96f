// The rows that decide whether a message is accepted, and as active or waiting. Read under the conversation's lock.
import { sql, type Compilable } from 'kysely'
import type { AgentConfig, AgentSource } from '../../contracts/schemas/agent.ts'
import { agentConfig } from '../columns.ts'
import { compiled } from '../compiled.ts'
import { parseColumn } from '../json-column.ts'
import type { Db, Tx } from '../schema.ts'
import { lockConversation } from './conversations.ts'

/** Turns that may wait in one conversation. */
export const MAX_WAITING = 100

/** The data that decides whether a message is accepted, and as active or waiting. */
export interface Admission {
  conversation: { id: string; agent_id: string; user_id: string }
  agent: { version: number; config: AgentConfig; source: AgentSource } | undefined
  active_turn_id: string | undefined
  waiting: number
  concurrent: Concurrent
}

/** Active turns that do not wait for a person, of the user and of the key. */
export interface Concurrent {
  user: number
  key: number
}

interface Asked {
  conversation_id: string
  user_id: string
  key_id: string
  /** The conversation that it is hidden in; empty of one that is not hidden. */
  hidden_in: string
}

interface AdmissionRow {
  id: string
  agent_id: string
  user_id: string
  version: number | null
  config: string | null
  source: AgentSource | null
  active_turn_id: string | null
  waiting: number
  user: number
  key: number
}

const count = sql<number>`count(*)`.as('n')

function concurrentTurns(db: Db) {
  return (
    db
      .selectFrom('turns')
      .where('activated_at', 'is not', null)
      .where('finished_at', 'is', null)
      .where('status', '<>', 'awaiting_approval')
      // What an agent asks another for is part of the turn that asks.
      .where('parent_turn_id', 'is', null)
      .select(count)
  )
}

const selectConcurrent = compiled<Pick<Asked, 'user_id' | 'key_id'>, Concurrent>(
  (db, parameter) =>
    db.selectNoFrom([
      concurrentTurns(db).where('user_id', '=', parameter('user_id')).as('user'),
      concurrentTurns(db).where('key_id', '=', parameter('key_id')).as('key'),
    ]) as unknown as Compilable<Concurrent>,
)

/** Counts without a lock: for a check before the one that decides. */
export async function countConcurrent(db: Db, owner: Pick<Asked, 'user_id' | 'key_id'>): Promise<Concurrent> {
  const [row] = (await selectConcurrent(db, owner)).rows
  return { user: Number(row!.user), key: Number(row!.key) }
}

const selectAdmission = compiled<Asked, AdmissionRow>((db, parameter) => {
  const unfinished = db
    .selectFrom('turns')
    .where('conversation_id', '=', parameter('conversation_id'))
    .where('finished_at', 'is', null)
  return (
    db
      .selectFrom('conversations')
      .leftJoin('agents', (join) =>
        join.onRef('agents.id', '=', 'conversations.agent_id').on('agents.deleted_at', 'is', null),
      )
      .leftJoin('agent_versions', (join) =>
        join.onRef('agent_versions.agent_id', '=', 'agents.id').onRef('agent_versions.version', '=', 'agents.version'),
      )
      .select([
        'conversations.id',
        'conversations.agent_id',
        'conversations.user_id',
        'agents.version',
        'agent_versions.config',
        'agent_versions.source',
        unfinished.where('activated_at', 'is not', null).select('turns.id').as('active_turn_id'),
        unfinished.where('activated_at', 'is', null).select(count).as('waiting'),
        concurrentTurns(db).where('user_id', '=', parameter('user_id')).as('user'),
        concurrentTurns(db).where('key_id', '=', parameter('key_id')).as('key'),
      ])
      // A hidden one only for the message that it was created for.
      .where((is) => is(is.fn.coalesce('conversations.hidden_in', is.val('')), '=', parameter('hidden_in')))
      .where('conversations.id', '=', parameter('conversation_id')) as unknown as Compilable<AdmissionRow>
  )
})

/** Reads the admission data in one statement, under the locks of the conversation, the user and the key. */
export async function admit(
  tx: Tx,
  { conversation_id, user_id, key_id, hidden_in = '' }: Omit<Asked, 'hidden_in'> & Partial<Asked>,
): Promise<Admission | undefined> {
  await lockConversation(tx, conversation_id, [`user/${user_id}`, `key/${key_id}`])
  const [row] = (await selectAdmission(tx, { conversation_id, user_id, key_id, hidden_in })).rows
  if (!row) return undefined
  const { id, agent_id, user_id: owner, version, config, source } = row
  return {
    conversation: { id, agent_id, user_id: owner },
    agent:
      version === null || config === null || source === null
        ? undefined
        : { version, config: parseColumn(agentConfig, config, `${agent_id}/${version}`), source },
    active_turn_id: row.active_turn_id ?? undefined,
    waiting: Number(row.waiting),
    concurrent: { user: Number(row.user), key: Number(row.key) },
  }
}
