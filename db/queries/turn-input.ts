// What one use needs to know of a turn, in one query each: its workflow when it is claimed, recalling, and a step's model call.
import { sql } from 'kysely'
import type { Db, TurnsTable } from '../schema.ts'
import type { Passage } from './knowledge.ts'

/** Turns with the message they answer, and whether something is attached to it. */
const askedTurns = (db: Db) =>
  db
    .selectFrom('turns')
    .innerJoin('messages', 'messages.id', 'turns.user_message_id')
    .select(sql<number | boolean>`messages.attachments is not null`.as('attached'))

/** Whether there is anything to search for the turn's agent in its conversation. */
const searchable = sql<number | boolean>`(
  exists (select 1 from jobs where jobs.agent_id = turns.agent_id and jobs.status = 'completed' and jobs.knowledge_id > '')
  or exists (select 1 from jobs where jobs.conversation_id = turns.conversation_id and jobs.status = 'completed'))`.as(
  'searchable',
)

export async function readNeeds(db: Db, turnId: string): Promise<{ attached: boolean; searchable: boolean }> {
  const found = await askedTurns(db).select(searchable).where('turns.id', '=', turnId).executeTakeFirstOrThrow()
  return { attached: Boolean(found.attached), searchable: Boolean(found.searchable) }
}

export interface Question {
  agent_id: string
  conversation_id: string
  content: string
  attached: boolean
  /** What the turn has recalled; undefined when it has not tried. */
  recalled: Passage[] | undefined
}

export async function readQuestion(db: Db, turnId: string): Promise<Question> {
  const { attached, passages, ...asked } = await askedTurns(db)
    .leftJoin('recalls', 'recalls.turn_id', 'turns.id')
    .select(['turns.agent_id', 'turns.conversation_id', 'messages.content', 'recalls.passages'])
    .where('turns.id', '=', turnId)
    .executeTakeFirstOrThrow()
  return { ...asked, attached: Boolean(attached), recalled: passages === null ? undefined : parsePassages(passages) }
}

export interface StepInput {
  turn: Pick<
    TurnsTable,
    | 'id'
    | 'agent_id'
    | 'agent_version'
    | 'conversation_id'
    | 'user_id'
    | 'user_message_id'
    | 'cancel_requested_at'
    | 'response_schema'
  >
  /** The message that is answered. */
  asked: string
  attached: boolean
  passages: Passage[]
  searchable: boolean
  /** Whether the step's result is stored already. */
  answered: boolean
}

export async function readStepInput(db: Db, turnId: string, step: number): Promise<StepInput> {
  const {
    asked,
    attached,
    passages,
    searchable: has,
    answered,
    ...turn
  } = await askedTurns(db)
    .leftJoin('recalls', 'recalls.turn_id', 'turns.id')
    .select((eb) => [
      'turns.id',
      'turns.agent_id',
      'turns.agent_version',
      'turns.conversation_id',
      'turns.user_id',
      'turns.user_message_id',
      'turns.cancel_requested_at',
      'turns.response_schema',
      'messages.content as asked',
      'recalls.passages',
      searchable,
      eb
        .exists(
          eb
            .selectFrom('model_steps')
            .select('model_steps.step')
            .whereRef('model_steps.turn_id', '=', 'turns.id')
            .where('model_steps.step', '=', step),
        )
        .as('answered'),
    ])
    .where('turns.id', '=', turnId)
    .executeTakeFirstOrThrow()
  return {
    turn,
    asked,
    attached: Boolean(attached),
    passages: passages === null ? [] : parsePassages(passages),
    searchable: Boolean(has),
    answered: Boolean(answered),
  }
}

function parsePassages(text: string): Passage[] {
  return JSON.parse(text) as Passage[]
}
