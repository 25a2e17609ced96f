// Agents and their versions: a turn keeps the version it began with, so versions are never changed, only added.
import type { AgentConfig, AgentSource } from '../../contracts/schemas/agent.ts'
import { MuxiError, notFound } from '../../contracts/failures.ts'
import { canonicalJson } from '../../contracts/json.ts'
import { agentConfig } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import { differencesOf } from '../dialect.ts'
import type { SecretBox } from '../secret-box.ts'
import type { AgentsTable, Db, Tx } from '../schema.ts'
import { deletedAgents } from './deleted-agents.ts'
import { deleteSecrets, getSecrets, putSecrets } from './secrets.ts'

export interface AgentRow extends Omit<AgentsTable, 'deleted_at'> {
  config: AgentConfig
}

export interface NewAgent {
  id: string
  /** Without credentials. */
  config: AgentConfig
  /** Credentials by their path in the config. */
  secrets: Record<string, string>
}

/** Names of the secrets of all agents begin with it. */
export const AGENT_SECRETS = 'agent/'
const secretsOf = (id: string) => `${AGENT_SECRETS}${id}`
/** Of the secrets of a version. */
export const secretOwner = (id: string, version: number) => `${secretsOf(id)}/${version}`

/** Brings the agents of the operator's files into the database: new, changed and vanished ones. */
export async function syncFileAgents(db: Db, box: SecretBox, agents: (NewAgent & { file: string })[]): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await lockAgents(tx)
    for (const agent of agents) await syncFileAgent(tx, box, agent)
    const vanished = await tx
      .updateTable('agents')
      .set({ deleted_at: new Date().toISOString() })
      .where('source', '=', 'file')
      .where('deleted_at', 'is', null)
      .where('id', 'not in', ['', ...agents.map(({ id }) => id)])
      .returning('id')
      .execute()
    for (const { id } of vanished) await deleteSecrets(tx, secretsOf(id))
  })
}

/** Several processes start at once with the same files, and two people may make the same agent. */
export function lockAgents(tx: Tx): Promise<void> {
  return differencesOf(tx).lockNames(tx, ['agents'])
}

async function syncFileAgent(tx: Tx, box: SecretBox, agent: NewAgent & { file: string }): Promise<void> {
  const known = await tx.selectFrom('agents').selectAll().where('id', '=', agent.id).executeTakeFirst()
  // One that was imported from the same file is defined by it again.
  if (known?.source === 'api' && known.deleted_at === null && known.file !== agent.file) {
    throw new Error(`Cannot load '${agent.file}': an agent '${agent.id}' was already made over the API`)
  }
  if (known?.source === 'file' && known.deleted_at === null && known.file === agent.file) {
    const { config } = await getAgentVersion(tx, agent.id, known.version)
    const secrets = await getSecrets(tx, box, secretOwner(agent.id, known.version))
    if (canonicalJson([config, secrets]) === canonicalJson([agent.config, agent.secrets])) return
  }
  await writeVersion(tx, box, agent, (known?.version ?? 0) + 1, 'file', agent.file)
}

/** @throws MuxiError `conflict` when there is an agent with this id, or one is being deleted */
export async function refuseTaken(db: Db | Tx, id: string): Promise<void> {
  const known = await db
    .selectFrom('agents')
    .select('id')
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .execute()
  if (known.length > 0) throw new MuxiError('conflict', `Cannot create agent '${id}': the id is taken`)
  // It would get the knowledge of the deleted agent.
  const [deleted] = await deletedAgents(db).where('id', '=', id).execute()
  if (deleted)
    throw new MuxiError('conflict', `Cannot create agent '${id}': the agent that had this id is being deleted`)
}

/** Where an agent was imported from: it is trusted as the operator's file is, and is changed over the API. */
export interface ImportedFile {
  /** When it is loaded at every start. */
  file: string | undefined
}

/** @throws MuxiError `conflict` when the id is taken */
export async function createAgent(tx: Tx, box: SecretBox, agent: NewAgent, imported?: ImportedFile): Promise<AgentRow> {
  await lockAgents(tx)
  await refuseTaken(tx, agent.id)
  const known = await tx.selectFrom('agents').select('version').where('id', '=', agent.id).executeTakeFirst()
  await writeVersion(tx, box, agent, (known?.version ?? 0) + 1, 'api', imported?.file ?? null, imported && 'file')
  // Another agent than the deleted one of this id.
  if (known)
    await tx
      .updateTable('agents')
      .set((eb) => ({ created_at: eb.ref('updated_at') }))
      .where('id', '=', agent.id)
      .execute()
  return getAgentOrThrow(tx, agent.id)
}

/** The next version of an agent made over the API. @returns undefined when it has another version than that meanwhile, or was deleted */
export async function addAgentVersion(
  tx: Tx,
  box: SecretBox,
  agent: NewAgent,
  current: number,
): Promise<AgentRow | undefined> {
  await lockAgents(tx)
  const known = await findAgent(tx, agent.id)
  if (known?.version !== current || known.source !== 'api') return undefined
  await writeVersion(tx, box, agent, current + 1, 'api', known.file)
  return getAgentOrThrow(tx, agent.id)
}

async function writeVersion(
  tx: Tx,
  box: SecretBox,
  agent: NewAgent,
  version: number,
  source: AgentSource,
  file: string | null,
  writtenBy = source,
): Promise<void> {
  const stamp = new Date().toISOString()
  await tx
    .insertInto('agent_versions')
    .values({ agent_id: agent.id, version, config: JSON.stringify(agent.config), source: writtenBy, created_at: stamp })
    .execute()
  await putSecrets(tx, box, secretOwner(agent.id, version), agent.secrets)
  const head = { version, source, file, description: agent.config.description, updated_at: stamp, deleted_at: null }
  await tx
    .insertInto('agents')
    .values({ id: agent.id, created_at: stamp, ...head })
    .onConflict((oc) => oc.column('id').doUpdateSet(head))
    .execute()
}

/** Deletes an agent, and the secrets of all its versions; the versions stay, because the log and the turns name them. */
export async function deleteAgentRow(tx: Tx, id: string): Promise<void> {
  await tx.updateTable('agents').set({ deleted_at: new Date().toISOString() }).where('id', '=', id).execute()
  await deleteSecrets(tx, secretsOf(id))
}

const agentRows = (db: Db | Tx) =>
  db
    .selectFrom('agents')
    .innerJoin('agent_versions', (join) =>
      join.onRef('agent_versions.agent_id', '=', 'agents.id').onRef('agent_versions.version', '=', 'agents.version'),
    )
    .select([
      'id',
      'agents.version',
      'agents.source',
      'file',
      'description',
      'agents.created_at',
      'updated_at',
      'config',
    ])
    .where('deleted_at', 'is', null)

export async function findAgent(db: Db | Tx, id: string): Promise<AgentRow | undefined> {
  const row = await agentRows(db).where('id', '=', id).executeTakeFirst()
  return row && { ...row, config: parseColumn(agentConfig, row.config, `${id}/${row.version}`) }
}

export async function getAgentOrThrow(db: Db | Tx, id: string): Promise<AgentRow> {
  const agent = await findAgent(db, id)
  if (!agent) throw notFound('agent', id)
  return agent
}

export async function listAgents(db: Db, limit: number, cursor: string | undefined): Promise<AgentRow[]> {
  let query = agentRows(db).orderBy('id').limit(limit)
  if (cursor !== undefined) query = query.where('id', '>', cursor)
  return (await query.execute()).map((row) => ({
    ...row,
    config: parseColumn(agentConfig, row.config, `${row.id}/${row.version}`),
  }))
}

export async function countAgents(db: Db): Promise<number> {
  const { n } = await db
    .selectFrom('agents')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow()
  return Number(n)
}

/** The descriptions of agents by their ids, without those that were deleted. */
export async function listDescriptions(db: Db, ids: readonly string[]): Promise<Map<string, string>> {
  const rows = await db
    .selectFrom('agents')
    .select(['id', 'description'])
    .where('id', 'in', ['', ...ids])
    .where('deleted_at', 'is', null)
    .execute()
  return new Map(rows.map(({ id, description }) => [id, description]))
}

/** All agents, by id, with when they were made. */
export function listModels(db: Db): Promise<Pick<AgentsTable, 'id' | 'created_at'>[]> {
  return db.selectFrom('agents').select(['id', 'created_at']).where('deleted_at', 'is', null).orderBy('id').execute()
}

/** A text that is another one after any agent was made, changed or removed. */
export async function readAgentsStamp(db: Db): Promise<string> {
  const row = await db
    .selectFrom('agents')
    .select((eb) => [
      eb.fn.countAll().as('n'),
      eb.fn.max('updated_at').as('updated'),
      eb.fn.max('deleted_at').as('deleted'),
    ])
    .executeTakeFirstOrThrow()
  return JSON.stringify(row)
}

/** The config of a version and where it came from, also of an agent that was changed or deleted since. */
export async function getAgentVersion(
  db: Db | Tx,
  id: string,
  version: number,
): Promise<{ config: AgentConfig; source: AgentSource }> {
  const row = await db
    .selectFrom('agent_versions')
    .select(['config', 'source'])
    .where('agent_id', '=', id)
    .where('version', '=', version)
    .executeTakeFirst()
  if (!row) throw notFound('agent', id)
  return { config: parseColumn(agentConfig, row.config, `${id}/${version}`), source: row.source }
}

/** The credentials of a version, decrypted, by their path in the config. */
export function getAgentSecrets(db: Db, box: SecretBox, id: string, version: number): Promise<Record<string, string>> {
  return getSecrets(db, box, secretOwner(id, version))
}

export interface AgentStats {
  conversations: number
  total_messages: number
  active_users: number
}

/** How much an agent is used by people; their messages and those of the agent both count. */
export async function getAgentStats(db: Db, id: string): Promise<AgentStats> {
  const conversations = await db
    .selectFrom(
      db
        .selectFrom('conversations')
        .select(['id', 'user_id'])
        .where('agent_id', '=', id)
        .where('hidden_in', 'is', null)
        // Those of the orchestrator in which it was chosen.
        .union(
          db
            .selectFrom('turns')
            .select(['conversation_id as id', 'user_id'])
            .where('agent_id', '=', id)
            .where('parent_turn_id', 'is', null),
        )
        .as('used'),
    )
    .select((eb) => [eb.fn.countAll().as('n'), eb.fn.count('user_id').distinct().as('users')])
    .executeTakeFirstOrThrow()
  const messages = await db
    .selectFrom('messages')
    .innerJoin('turns', 'turns.id', 'messages.turn_id')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('turns.agent_id', '=', id)
    .where('turns.parent_turn_id', 'is', null)
    .where('turns.superseded_by', 'is', null)
    .executeTakeFirstOrThrow()
  return {
    conversations: Number(conversations.n),
    total_messages: Number(messages.n),
    active_users: Number(conversations.users),
  }
}
