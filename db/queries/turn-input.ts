// The input of a step's model call, read in one statement.
import { sql } from 'kysely'
import type { RecalledMemory } from '../../contracts/memory.ts'
import type { CarriedRequest } from '../../contracts/schemas/carried-request.ts'
import { carriedRequest, recallAboutUser, recallMemories, recallPassages } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import { compiled } from '../compiled.ts'
import type { Db, TurnsTable } from '../schema.ts'
import type { Passage } from './recalls.ts'

type StepRow = StepInput['turn'] &
  Record<
    'attached' | 'searchable' | 'remembered' | 'has_context' | 'has_servers' | 'has_usage' | 'answered',
    number | boolean
  > & {
    passages: string | null
    memories: string | null
    about_user: string | null
    carried: string | null
    asked_id: string
    role: 'user' | 'assistant'
    content: string
    message_status: string
  }

export interface StepInput {
  turn: Pick<
    TurnsTable,
    | 'id'
    | 'status'
    | 'agent_id'
    | 'agent_version'
    | 'conversation_id'
    | 'user_id'
    | 'key_id'
    | 'message_id'
    | 'user_message_id'
    | 'cancel_requested_at'
    | 'response_schema'
  >
  /** What the message brought, when it continues no conversation here. */
  carried: CarriedRequest | undefined
  /** The message to answer. */
  asked: string
  /** Whether files are attached to it. */
  attached: boolean
  /** The recalled passages; undefined before the turn's recall. */
  passages: Passage[] | undefined
  /** The recalled messages of earlier. */
  memories: RecalledMemory[]
  /** The recalled context memory of the user. */
  about_user: Record<string, unknown> | undefined
  /** Whether there are documents to search. */
  searchable: boolean
  /** Whether there are memories of the user with the agent. */
  remembered: boolean
  /** Whether there is a context memory of the user. */
  has_context: boolean
  /** Whether the conversation has, or may have, messages older than `earlier`. */
  crowded: boolean
  /** Whether the agent has MCP servers. */
  has_servers: boolean
  /** Whether model requests of the turn are recorded already: of earlier attempts, of routing, of its attachments. */
  has_usage: boolean
  /** Whether the step's result is stored already. */
  answered: boolean
  /** The previous messages, oldest first, up to the agent's buffer size, without those that were never accepted or still wait. */
  earlier: { id: string; role: 'user' | 'assistant'; content: string; attached: boolean }[]
}

/** Whether there is anything to search for the turn's agent in its conversation. */
const searchable = sql<number | boolean>`(
  exists (select 1 from jobs where jobs.agent_id = turns.agent_id and jobs.status = 'completed' and jobs.knowledge_id > '')
  or exists (select 1 from jobs where jobs.conversation_id = turns.conversation_id and jobs.status = 'completed'))`.as(
  'searchable',
)

const selectStepInput = compiled<{ turn_id: string; step: number; limit: number }, StepRow>((db, parameter) =>
  db
    .selectFrom('turns')
    .innerJoin('messages', (join) =>
      join
        .onRef('messages.conversation_id', '=', 'turns.conversation_id')
        .onRef('messages.id', '<=', 'turns.user_message_id'),
    )
    .leftJoin('recalls', 'recalls.turn_id', 'turns.id')
    .leftJoin('turn_requests', 'turn_requests.turn_id', 'turns.id')
    .select((eb) => [
      'turns.id',
      'turns.status',
      'turns.agent_id',
      'turns.agent_version',
      'turns.conversation_id',
      'turns.user_id',
      'turns.key_id',
      'turns.message_id',
      'turns.user_message_id',
      'turns.cancel_requested_at',
      'turns.response_schema',
      'recalls.passages',
      'recalls.memories',
      'recalls.about_user',
      'turn_requests.request as carried',
      'messages.id as asked_id',
      'messages.role',
      'messages.content',
      'messages.status as message_status',
      sql<number | boolean>`messages.attachments is not null`.as('attached'),
      searchable,
      eb
        .exists(
          eb
            .selectFrom('memories')
            .select('memories.id')
            .whereRef('memories.user_id', '=', 'turns.user_id')
            .whereRef('memories.agent_id', '=', 'turns.agent_id'),
        )
        .as('remembered'),
      eb
        .exists(
          eb
            .selectFrom('context_memories')
            .select('context_memories.user_id')
            .whereRef('context_memories.user_id', '=', 'turns.user_id'),
        )
        .as('has_context'),
      eb
        .exists(eb.selectFrom('mcp_servers').select('name').whereRef('mcp_servers.agent_id', '=', 'turns.agent_id'))
        .as('has_servers'),
      eb
        .exists(
          eb.selectFrom('model_usage').select('model_usage.id').whereRef('model_usage.stream_id', '=', 'turns.id'),
        )
        .as('has_usage'),
      eb
        .exists(
          eb
            .selectFrom('model_steps')
            .select('model_steps.step')
            .whereRef('model_steps.turn_id', '=', 'turns.id')
            .where('model_steps.step', '=', parameter('step')),
        )
        .as('answered'),
    ])
    .where('turns.id', '=', parameter('turn_id'))
    // A message that still waits, passed by one that interrupts, is answered later. A turn that was replaced while it runs keeps the
    // messages that were replaced with it.
    .where((eb) =>
      eb.or([
        eb('messages.id', '=', eb.ref('turns.user_message_id')),
        // A value, because Postgres may execute `exists` by reading all queued turns.
        sql<boolean>`coalesce((select case
            when said.status = 'queued' then 0
            when said.superseded_by is null or said.superseded_by >= turns.superseded_by then 1
            else 0 end
          from turns as said where said.id = messages.turn_id), 1) = 1`,
      ]),
    )
    .orderBy('messages.id', 'desc')
    .limit(parameter('limit')),
)

/** @param buffer number of earlier messages */
export async function readStepInput(db: Db, turnId: string, step: number, buffer: number): Promise<StepInput> {
  const { rows } = await selectStepInput(db, { turn_id: turnId, step, limit: buffer + 1 })
  const [first, ...before] = rows
  if (!first) throw new Error(`Cannot read turn '${turnId}': it does not exist`)
  return {
    turn: first,
    carried: parseColumn(carriedRequest, first.carried, turnId),
    asked: first.content,
    attached: Boolean(first.attached),
    passages: parseColumn(recallPassages, first.passages, turnId),
    memories: parseColumn(recallMemories, first.memories, turnId) ?? [],
    about_user: parseColumn(recallAboutUser, first.about_user, turnId),
    searchable: Boolean(first.searchable),
    remembered: Boolean(first.remembered),
    has_context: Boolean(first.has_context),
    crowded: buffer > 0 && before.length === buffer,
    has_servers: Boolean(first.has_servers),
    has_usage: Boolean(first.has_usage),
    answered: Boolean(first.answered),
    earlier: before
      .toReversed()
      .filter(({ role, message_status }) => !(role === 'user' && message_status === 'failed'))
      .map(({ asked_id: id, role, content, attached }) => ({ id, role, content, attached: Boolean(attached) })),
  }
}
