// What a turn's model calls and tool calls came to: stored once, found again by every later attempt.
import type { PlannedCall } from '../../contracts/engine.ts'
import type { Db, Tx, ModelStepsTable, ToolCallsTable } from '../schema.ts'

export interface NewToolCall {
  call_id: string
  name: string
  server: string
  provider_call_id: string
  arguments: string
}

/** Stores the whole result of a model call with the tool calls it asks for. */
export async function insertStep(tx: Tx, step: ModelStepsTable, calls: NewToolCall[]): Promise<void> {
  await tx.insertInto('model_steps').values(step).execute()
  if (calls.length === 0) return
  await tx
    .insertInto('tool_calls')
    .values(
      calls.map((call, position) => ({
        ...call,
        turn_id: step.turn_id,
        step: step.step,
        position,
        status: 'planned' as const,
      })),
    )
    .execute()
}

/** The stored result of a step, when an earlier attempt got as far. */
export async function findStep(db: Db, turnId: string, step: number) {
  const found = await db
    .selectFrom('model_steps')
    .selectAll()
    .where('turn_id', '=', turnId)
    .where('step', '=', step)
    .executeTakeFirst()
  if (!found) return undefined
  const calls: PlannedCall[] = await db
    .selectFrom('tool_calls')
    .select(['call_id', 'name'])
    .where('turn_id', '=', turnId)
    .where('step', '=', step)
    .orderBy('position')
    .execute()
  return { ...found, calls }
}

/** Everything said and done in a turn so far, in order: what the next model call is shown. */
export async function listSteps(db: Db, turnId: string) {
  const steps = await db.selectFrom('model_steps').selectAll().where('turn_id', '=', turnId).orderBy('step').execute()
  const calls = await listToolCalls(db, turnId)
  return steps.map((step) => ({ ...step, calls: calls.filter((call) => call.step === step.step) }))
}

export function listToolCalls(db: Db | Tx, turnId: string): Promise<ToolCallsTable[]> {
  return db
    .selectFrom('tool_calls')
    .selectAll()
    .where('turn_id', '=', turnId)
    .orderBy('step')
    .orderBy('position')
    .execute()
}

export async function getToolCallOrThrow(db: Db | Tx, turnId: string, callId: string): Promise<ToolCallsTable> {
  return db
    .selectFrom('tool_calls')
    .selectAll()
    .where('turn_id', '=', turnId)
    .where('call_id', '=', callId)
    .executeTakeFirstOrThrow()
}

/** Writes the ledger row: from here on the call may have had its effect. @returns false when it stood already */
export async function startToolCall(tx: Tx, turnId: string, callId: string): Promise<boolean> {
  const started = await tx
    .updateTable('tool_calls')
    .set({ status: 'started', started_at: new Date().toISOString() })
    .where('turn_id', '=', turnId)
    .where('call_id', '=', callId)
    .where('status', '=', 'planned')
    .executeTakeFirst()
  return started.numUpdatedRows > 0n
}

/** The outcome of a call; a call that has one keeps it. */
export async function finishToolCall(
  tx: Tx,
  turnId: string,
  callId: string,
  status: Exclude<ToolCallsTable['status'], 'planned' | 'started'>,
  output: string,
): Promise<boolean> {
  const finished = await tx
    .updateTable('tool_calls')
    .set({ status, output, finished_at: new Date().toISOString() })
    .where('turn_id', '=', turnId)
    .where('call_id', '=', callId)
    .where('status', 'in', ['planned', 'started'])
    .executeTakeFirst()
  return finished.numUpdatedRows > 0n
}
