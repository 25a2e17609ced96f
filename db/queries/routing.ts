// What the orchestrator decides by, and its decisions: kept by a hash of the message and of the agents there are.
import { createHash } from 'node:crypto'
import type { StoredEvent } from '../../contracts/events.ts'
import { isRemembering, type AgentConfig } from '../../contracts/schemas/agent.ts'
import { AUTO } from '../../contracts/routing.ts'
import { addEvents } from '../event-rows.ts'
import type { AgentsTable, Db, Tx } from '../schema.ts'
import { readAgentsStamp } from './agents.ts'
import { unlessCarried } from './turn-requests.ts'
import { STARTED, startEvent, type Attachment } from './turns.ts'

/** Agents that a message may be routed to, by id; more are left out. */
const MAX_AGENTS = 200

export interface Route {
  agent_id: string
  /** From 0 to 1. */
  confidence: number
}

/** What a message is routed by. */
export interface RoutedMessage {
  conversation_id: string
  content: string
  attachments: Pick<Attachment, 'name' | 'type'>[]
  /** The turn of the message; the newest one when it has none yet. */
  turn_id?: string
}

export type RoutableAgent = Pick<AgentsTable, 'id' | 'version' | 'description'>

export function listRoutable(db: Db | Tx): Promise<RoutableAgent[]> {
  return db
    .selectFrom('agents')
    .select(['id', 'version', 'description'])
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .limit(MAX_AGENTS)
    .execute()
}

/** The route that no model is needed for: the only agent, or what was decided before; undefined when it is to be decided. */
export async function findKnownRoute(db: Db, message: RoutedMessage): Promise<Route | undefined> {
  const only = await findOnlyAgent(db)
  if (only !== undefined) return { agent_id: only, confidence: 1 }
  const { hash, agents } = await routingKey(db, message, await findPreviousAgent(db, message))
  return db
    .selectFrom('routing_decisions')
    .select(['agent_id', 'confidence'])
    .where('message_hash', '=', hash)
    .where('agents', '=', agents)
    .executeTakeFirst()
}

async function findOnlyAgent(db: Db): Promise<string | undefined> {
  const agents = await db
    .selectFrom('agents')
    .select('id')
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .limit(2)
    .execute()
  return agents.length === 1 ? agents[0]!.id : undefined
}

/** What a decision is kept by. */
export interface RoutingKey {
  hash: string
  /** Names the set of agents. */
  agents: string
}

/** The key of a decision: the same words, after the same agent, with the same agents to choose from. */
export async function routingKey(
  db: Db | Tx,
  { content, attachments }: Pick<RoutedMessage, 'content' | 'attachments'>,
  previous: string | undefined,
): Promise<RoutingKey> {
  const agents = await readAgentsStamp(db)
  const words = content.normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ').trim()
  const attached = attachments.map(({ name, type }) => [name, type])
  const hash = createHash('sha256')
    .update(JSON.stringify([agents, previous, words, attached]))
    .digest('hex')
  return { hash, agents }
}

/** The agent that answered last in the conversation, before the message's turn. */
export async function findPreviousAgent(
  db: Db | Tx,
  { conversation_id, turn_id }: Pick<RoutedMessage, 'conversation_id' | 'turn_id'>,
): Promise<string | undefined> {
  const turn = await db
    .selectFrom('turns')
    .select('agent_id')
    .where('conversation_id', '=', conversation_id)
    .where('agent_id', '<>', AUTO)
    .where('superseded_by', 'is', null)
    .$if(turn_id !== undefined, (turns) => turns.where('id', '<', turn_id!))
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return turn?.agent_id
}

/** Keeps a decision for the same message; decisions about other agents than there are now are dropped. */
export async function keepRoute(db: Db | Tx, { hash, agents }: RoutingKey, route: Route): Promise<void> {
  // Two ranges, because an index finds no rows by `<>`: mostly both are empty.
  await db
    .deleteFrom('routing_decisions')
    .where((is) => is.or([is('agents', '<', agents), is('agents', '>', agents)]))
    .execute()
  await db
    .insertInto('routing_decisions')
    .values({ message_hash: hash, agents, ...route, created_at: new Date().toISOString() })
    .onConflict((oc) => oc.column('message_hash').doUpdateSet(route))
    .execute()
}

/** Sets the agent of a turn, once, and begins its reply with `message_start`. @returns the events to publish */
export async function setRoute(
  tx: Tx,
  turnId: string,
  agent: Pick<AgentsTable, 'id' | 'version'> & { config: AgentConfig },
  confidence: number,
): Promise<StoredEvent[]> {
  const turn = await tx
    .updateTable('turns')
    .set({
      agent_id: agent.id,
      agent_version: agent.version,
      routing_confidence: confidence,
      remembers: unlessCarried(isRemembering(agent.config.memory)),
    })
    .where('id', '=', turnId)
    .where('agent_id', '=', AUTO)
    .where('finished_at', 'is', null)
    .returning(STARTED)
    .executeTakeFirst()
  if (!turn) return []
  const added = await addEvents(tx, turnId, undefined, [startEvent(turnId, turn)])
  return 'events' in added ? added.events : []
}
