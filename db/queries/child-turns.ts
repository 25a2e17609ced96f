// Turns that a tool call of another turn has asked for: the agent that was asked answers in a conversation that is hidden in that of
// the client's turn, the root.
import { newId } from '../../contracts/ids.ts'
import type { Db, Tx, TurnsTable } from '../schema.ts'
import { requestStopIn } from './stop-requests.ts'
import { lockTurn } from './turns.ts'

/** Where a turn stands below the one that a client asked for. */
export type Below = Pick<TurnsTable, 'parent_turn_id' | 'parent_call_id' | 'root_turn_id' | 'root_call_id' | 'depth'>

type Asking = Pick<TurnsTable, 'id' | 'root_turn_id' | 'root_call_id' | 'depth'>

/** The place of a turn that is asked for by a call of another. */
export function below({ id, root_turn_id, root_call_id, depth }: Asking, callId: string): Below {
  return {
    parent_turn_id: id,
    parent_call_id: callId,
    root_turn_id: root_turn_id ?? id,
    root_call_id: root_call_id ?? callId,
    depth: depth + 1,
  }
}

/** Creates the hidden conversation in which an agent answers another. @returns its id */
export async function createHiddenConversation(
  tx: Tx,
  { conversation_id, user_id }: Pick<TurnsTable, 'conversation_id' | 'user_id'>,
  agent_id: string,
): Promise<string> {
  const parent = await tx
    .selectFrom('conversations')
    .select(['id', 'hidden_in'])
    .where('id', '=', conversation_id)
    .executeTakeFirstOrThrow()
  const id = newId('conv')
  await tx
    .insertInto('conversations')
    .values({
      id,
      agent_id,
      user_id,
      title: null,
      default_for: null,
      created_at: new Date().toISOString(),
      hidden_in: parent.hidden_in ?? parent.id,
    })
    .execute()
  return id
}

/** A conversation and those that are hidden in it, as a subquery. */
export const withHidden = (db: Db | Tx, id: string) =>
  db
    .selectFrom('conversations')
    .select('id')
    .where((eb) => eb.or([eb('id', '=', id), eb('hidden_in', '=', id)]))

/** The ids of all turns below one, as a subquery. */
export const descendantsOf = (db: Db | Tx, turnId: string) =>
  db
    .withRecursive('tree', (tree) =>
      tree
        .selectFrom('turns')
        .select('id')
        .where('parent_turn_id', '=', turnId)
        .unionAll(tree.selectFrom('turns').innerJoin('tree', 'turns.parent_turn_id', 'tree.id').select('turns.id')),
    )
    .selectFrom('tree')
    .select('id')

/** How many turns below one have not ended. */
export async function countUnfinishedBelow(tx: Tx, turnId: string): Promise<number> {
  const { n } = await tx
    .selectFrom('turns')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('id', 'in', descendantsOf(tx, turnId))
    .where('finished_at', 'is', null)
    .executeTakeFirstOrThrow()
  return Number(n)
}

/**
 * Requests that all turns below one stop; its own request is in its row already. One by one, so that no lock is held while another is
 * waited for.
 * @returns their ids, to be stopped in this process
 */
export async function requestStopBelow(db: Db, turnId: string): Promise<string[]> {
  const below = await db
    .selectFrom('turns')
    .select('id')
    .where('id', 'in', descendantsOf(db, turnId))
    .where('finished_at', 'is', null)
    .execute()
  for (const { id } of below) await db.transaction().execute((tx) => requestStopIn(tx, id))
  return below.map(({ id }) => id)
}

/** Locks turns and their roots, the newest first: a turn is locked before those above it, and concurrent callers cannot deadlock. */
export async function lockWithRoots(tx: Tx, turnIds: readonly string[]): Promise<void> {
  if (turnIds.length === 0) return
  const rows = await tx.selectFrom('turns').select('root_turn_id').where('id', 'in', turnIds).execute()
  const all = new Set([...turnIds, ...rows.flatMap(({ root_turn_id }) => root_turn_id ?? [])])
  for (const id of [...all].toSorted().toReversed()) await lockTurn(tx, id)
}

/**
 * Locks the root of a turn, where the turn's approvals are shown; the caller holds the turn. A turn is locked before those above it.
 * @returns the root, and the call of it that led to the turn; undefined when the turn is itself a root
 */
export async function lockRootOf(tx: Tx, turnId: string): Promise<{ turn_id: string; call_id: string } | undefined> {
  const turn = await tx
    .selectFrom('turns')
    .select(['root_turn_id', 'root_call_id'])
    .where('id', '=', turnId)
    .executeTakeFirst()
  if (!turn || turn.root_turn_id === null || turn.root_call_id === null) return undefined
  await lockTurn(tx, turn.root_turn_id)
  return { turn_id: turn.root_turn_id, call_id: turn.root_call_id }
}
