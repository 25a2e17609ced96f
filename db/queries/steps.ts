// Results of a turn's model calls and tool calls: stored once, read by every later attempt.
import { sql, type Compilable } from 'kysely'
import type { AgentCall, PlannedCall } from '../../contracts/turn.ts'
import type { StoredPart } from '../../contracts/schemas/stored-parts.ts'
import { toolCallEnded } from '../../contracts/telemetry.ts'
import { callImages, stepParts, type StoredImage } from '../columns.ts'
import { parseColumn } from '../json-column.ts'
import { compiled } from '../compiled.ts'
import type { Writer } from '../event-rows.ts'
import type { Db, Tx, ModelStepsTable, ToolCallsTable } from '../schema.ts'

export type { StoredImage }

export interface NewToolCall {
  call_id: string
  name: string
  server: string
  /** The tool's name on its MCP server. */
  tool?: string | undefined
  provider_call_id: string
  arguments: string
  /** Why the call is not made: the error for the model. */
  refusal?: string | undefined
  agent_call?: AgentCall | undefined
  to_agent?: string | undefined
  /** A tool of the caller, which gets the call. */
  returned?: boolean
}

export interface NewStep extends Omit<ModelStepsTable, 'parts'> {
  parts?: StoredPart[] | undefined
}

/** The pictures of a tool call. */
export function parseImages({
  images,
  turn_id,
  call_id,
}: Pick<ToolCallsTable, 'images' | 'turn_id' | 'call_id'>): StoredImage[] {
  return parseColumn(callImages, images, `${turn_id}/${call_id}`) ?? []
}

/**
 * Stores the complete result of a model call with its tool calls. The caller holds the turn's lock.
 * @returns false, with nothing stored, when the writer is superseded by a newer attempt
 */
export async function insertStep(
  tx: Tx,
  { parts, ...step }: NewStep,
  calls: NewToolCall[],
  { scope, fence }: Writer,
): Promise<boolean> {
  const inserted = await insertHeld(tx, { ...step, parts: parts ? JSON.stringify(parts) : null, scope, fence })
  if (inserted.numAffectedRows !== 1n) return false
  if (calls.length === 0) return true
  const stamp = new Date().toISOString()
  await tx
    .insertInto('tool_calls')
    .values(
      calls.map(({ refusal, returned, ...call }, position) => ({
        ...call,
        turn_id: step.turn_id,
        step: step.step,
        position,
        status: refusal !== undefined ? ('invalid' as const) : returned ? ('returned' as const) : ('planned' as const),
        output: refusal ?? null,
        finished_at: refusal === undefined && !returned ? null : stamp,
      })),
    )
    .execute()
  return true
}

/** Only while the writer's fence stands. */
const insertHeld = compiled<ModelStepsTable & Writer>((db, parameter) => {
  const columns = ['turn_id', 'step', 'content', 'provider', 'model', 'input_tokens', 'output_tokens', 'parts'] as const
  const typeOf = (column: (typeof columns)[number]) =>
    column === 'step' || column.endsWith('_tokens') ? sql`integer` : sql`text`
  const values = columns.map((column) => sql`cast(${parameter(column)} as ${typeOf(column)})`.as(column))
  const held = db
    .selectFrom('event_fences')
    .select(values)
    .where('stream_id', '=', parameter('turn_id'))
    .where('scope', '=', parameter('scope'))
    .where('fence', '=', parameter('fence'))
  return db
    .insertInto('model_steps')
    .columns(columns)
    .expression(held as never) as unknown as Compilable<never>
})

/** The stored result of a step, if an earlier attempt stored it. */
export async function findStep(db: Db | Tx, turnId: string, step: number) {
  const found = await db
    .selectFrom('model_steps')
    .selectAll()
    .where('turn_id', '=', turnId)
    .where('step', '=', step)
    .executeTakeFirst()
  if (!found) return undefined
  const calls = await db
    .selectFrom('tool_calls')
    .select(['call_id', 'name', 'server', 'tool', 'agent_call'])
    .where('turn_id', '=', turnId)
    .where('step', '=', step)
    // Those that were refused when the step was stored are not to be made, nor those of the caller.
    .where('status', 'not in', ['invalid', 'returned'])
    .orderBy('position')
    .execute()
  return { ...found, calls: calls.map(toPlannedCall) }
}

/** The parts of a call that the workflow needs: `server` only for MCP tools. */
export function toPlannedCall({
  call_id,
  name,
  server,
  tool,
  agent_call,
}: Pick<NewToolCall, 'call_id' | 'name' | 'server'> & {
  tool?: string | null | undefined
  agent_call?: AgentCall | null | undefined
}): PlannedCall {
  return { call_id, name, ...(tool != null && { server }), ...(agent_call != null && { agent_call }) }
}

/** All steps of a turn so far, in order: the input of the next model call. */
export async function listSteps(db: Db, turnId: string) {
  const steps = await db.selectFrom('model_steps').selectAll().where('turn_id', '=', turnId).orderBy('step').execute()
  const calls = await listToolCalls(db, turnId)
  return steps.map((step) => ({
    ...step,
    parts: parseColumn(stepParts, step.parts, `${step.turn_id}/${step.step}`),
    calls: calls.filter((call) => call.step === step.step),
  }))
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

/** The ids of the calls of a turn that have not ended; without handoffs, which are made after all others. */
export async function listOpenCalls(db: Db | Tx, turnId: string): Promise<string[]> {
  const calls = await db
    .selectFrom('tool_calls')
    .select('call_id')
    .where('turn_id', '=', turnId)
    .where('status', 'in', ['planned', 'started'])
    .where((eb) => eb.or([eb('agent_call', 'is', null), eb('agent_call', '<>', 'handoff')]))
    .execute()
  return calls.map(({ call_id }) => call_id)
}

export async function getToolCallOrThrow(db: Db | Tx, turnId: string, callId: string): Promise<ToolCallsTable> {
  return db
    .selectFrom('tool_calls')
    .selectAll()
    .where('turn_id', '=', turnId)
    .where('call_id', '=', callId)
    .executeTakeFirstOrThrow()
}

/** Writes the ledger row: from here on the call may have had its effect. @returns false when it exists already */
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

/** Starts a call that asks another agent. */
export async function startAsk(
  tx: Tx,
  { turn_id, call_id }: Pick<ToolCallsTable, 'turn_id' | 'call_id'>,
  child_turn_id: string,
): Promise<void> {
  await tx
    .updateTable('tool_calls')
    .set({ status: 'started', started_at: new Date().toISOString(), child_turn_id })
    .where('turn_id', '=', turn_id)
    .where('call_id', '=', call_id)
    .execute()
}

/** The steps in which a turn was handed over. */
export async function listHandoffs(tx: Tx, turnId: string): Promise<number[]> {
  const rows = await tx
    .selectFrom('tool_calls')
    .select('step')
    .where('turn_id', '=', turnId)
    .where('agent_call', '=', 'handoff')
    .where('status', '=', 'done')
    .execute()
  return rows.map(({ step }) => step)
}

/** Removes the ledger row: the tool certainly did not run, so the call may be made later. */
export async function returnToolCall(tx: Tx, turnId: string, callId: string): Promise<void> {
  await tx
    .updateTable('tool_calls')
    .set({ status: 'planned', started_at: null })
    .where('turn_id', '=', turnId)
    .where('call_id', '=', callId)
    .where('status', '=', 'started')
    .execute()
}

/** Stores the outcome of a call; an existing outcome is kept. */
export async function finishToolCall(
  tx: Tx,
  turnId: string,
  callId: string,
  status: Exclude<ToolCallsTable['status'], 'planned' | 'started'>,
  output: string,
  images: StoredImage[] = [],
): Promise<boolean> {
  const finished = await tx
    .updateTable('tool_calls')
    .set({
      status,
      output,
      images: images.length > 0 ? JSON.stringify(images) : null,
      finished_at: new Date().toISOString(),
    })
    .where('turn_id', '=', turnId)
    .where('call_id', '=', callId)
    .where('status', 'in', ['planned', 'started'])
    .executeTakeFirst()
  if (finished.numUpdatedRows > 0n) toolCallEnded.publish({ status })
  return finished.numUpdatedRows > 0n
}
