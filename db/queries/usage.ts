// Usage of each model request: a row before it is sent, completed after; interrupted requests are estimated.
import { sql, type Compilable } from 'kysely'
import { type ExceededBudget, type UsageOwner } from '../../contracts/budget.ts'
import type { Usage } from '../../contracts/events.ts'
import { newId } from '../../contracts/ids.ts'
import type { TokenUsage } from '../../contracts/model-messages.ts'
import { modelCallEnded } from '../../contracts/telemetry.ts'
import { compiled, inserting } from '../compiled.ts'
import type { Db, Tx } from '../schema.ts'
import { findExceeded, type Needed, type Reservation } from './budgets.ts'
import { descendantsOf } from './child-turns.ts'

/** Characters per token, where only their number is known. */
const CHARACTERS_A_TOKEN = 4

export type UsageKind = 'chat' | 'embedding' | 'transcription' | 'speech'

export interface UsageStart extends UsageOwner {
  /** A chat when left out. */
  kind?: UsageKind
  /** Seconds of sound, or characters that are spoken. */
  units?: number | null
  stream_id: string
  step: number
  fence: number
  provider: string
  model: string
  /** An estimate until the provider reports it. */
  input_tokens: number
  /** Estimated: counts against the budgets until the request has ended. */
  reserved_tokens: number
  /** Null where the price is not known. */
  reserved_cost_usd: number | null
}

/** Inserts the usage row of a request that no budget is asked about. @returns the id of its row */
export async function insertUsage(db: Db | Tx, { kind = 'chat', units = null, ...start }: UsageStart): Promise<string> {
  const id = newId('use')
  const created_at = new Date().toISOString()
  await insertUsageRow(db, { id, ...start, kind, units, status: 'sent', output_tokens: 0, created_at })
  return id
}

/**
 * Inserts the usage row of a request about to be sent, unless a budget of its key or user leaves no room for it. The row is counted
 * before the budgets are read, under the lock of their counters: of parallel requests each sees those before it.
 */
export async function reserveUsage(
  tx: Tx,
  start: UsageStart,
  needed: Needed,
): Promise<{ id: string; exceeded?: undefined } | { id?: undefined; exceeded: ExceededBudget }> {
  const id = await insertUsage(tx, start)
  const own: Reservation = { tokens: start.reserved_tokens, cost_usd: start.reserved_cost_usd ?? 0 }
  const exceeded = await findExceeded(tx, start, needed, own)
  if (!exceeded) return { id }
  await deleteUsage(tx, id)
  return { exceeded }
}

const insertUsageRow = inserting('model_usage', [
  'id',
  'stream_id',
  'step',
  'fence',
  'provider',
  'model',
  'status',
  'input_tokens',
  'output_tokens',
  'created_at',
  'key_id',
  'user_id',
  'agent_id',
  'reserved_tokens',
  'reserved_cost_usd',
  'kind',
  'units',
])

export interface SpentTokens extends TokenUsage {
  cost_usd?: number
  /** Those of the start when left out. */
  units?: number
  /** The provider did not count them. */
  estimated: boolean
}

/** Stores the actual usage of a request, unless it has been stored. */
export async function completeUsage(db: Db | Tx, id: string, spent: SpentTokens): Promise<void> {
  const { input_tokens, output_tokens, cost_usd = null, cached_tokens = null, reasoning_tokens = null } = spent
  const status = spent.estimated ? 'estimated' : 'completed'
  const { units = null } = spent
  const stored = { id, input_tokens, output_tokens, cost_usd, cached_tokens, reasoning_tokens, units, status } as const
  const [row] = (await updateUsage(db, stored)).rows
  if (row) modelCallEnded.publish({ ...row, input_tokens, output_tokens, cost_usd: cost_usd ?? 0 })
}

type Asked = { provider: string; model: string; kind: string }

const updateUsage = compiled<
  {
    id: string
    status: 'estimated' | 'completed'
    input_tokens: number
    output_tokens: number
    cost_usd: number | null
    cached_tokens: number | null
    reasoning_tokens: number | null
    units: number | null
  },
  Asked
>(
  (db, parameter) =>
    db
      .updateTable('model_usage')
      .set({
        status: parameter('status'),
        input_tokens: parameter('input_tokens'),
        output_tokens: parameter('output_tokens'),
        cost_usd: parameter('cost_usd'),
        cached_tokens: parameter('cached_tokens'),
        reasoning_tokens: parameter('reasoning_tokens'),
        units: sql<number | null>`coalesce(${parameter('units')}, units)`,
      })
      .where('id', '=', parameter('id'))
      .where('status', '<>', 'completed')
      .returning(['provider', 'model', 'kind']) as unknown as Compilable<Asked>,
)

/**
 * Estimates the usage of requests without a recorded end.
 * @param shown characters that they have shown: a lower bound of the output
 */
export async function settleLost(tx: Tx, streamId: string, shown: number): Promise<void> {
  await tx
    .updateTable('model_usage')
    .set((eb) => ({
      status: 'estimated',
      output_tokens: eb
        .case()
        .when('kind', '=', 'chat')
        .then(sql<number>`cast(${Math.ceil(shown / CHARACTERS_A_TOKEN)} as integer)`)
        .else(0)
        .end(),
      cost_usd: eb.ref('reserved_cost_usd'),
    }))
    .where('stream_id', '=', streamId)
    .where('status', '=', 'sent')
    .execute()
}

/** Sum over every attempt of a turn or job, and of the turns below it, except the row `except`. */
export async function totalUsage(db: Db | Tx, streamId: string, except = ''): Promise<Usage> {
  const sums = db
    .selectFrom('model_usage')
    .select((eb) => [
      eb.fn.sum<number | null>('input_tokens').as('input_tokens'),
      eb.fn.sum<number | null>('output_tokens').as('output_tokens'),
      eb.fn.sum<number | null>('cost_usd').as('cost_usd'),
    ])
  const own = sums.where('stream_id', '=', streamId).where('id', '<>', except)
  const rows = await own.unionAll(sums.where('stream_id', 'in', descendantsOf(db, streamId))).execute()
  return rows
    .map(({ input_tokens, output_tokens, cost_usd }) => ({
      input_tokens: Number(input_tokens ?? 0),
      output_tokens: Number(output_tokens ?? 0),
      ...(cost_usd !== null && { cost_usd: Number(cost_usd) }),
    }))
    .reduce(addUsage)
}

/** The cost is known when either has one. */
export function addUsage(a: Usage, b: Usage): Usage {
  const cost_usd =
    a.cost_usd === undefined && b.cost_usd === undefined ? undefined : (a.cost_usd ?? 0) + (b.cost_usd ?? 0)
  return {
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    ...(cost_usd !== undefined && { cost_usd }),
  }
}

/** How many requests were sent for a step by attempts of these fences. */
export async function countRequests(
  db: Db | Tx,
  turnId: string,
  step: number,
  fences: { from: number; to: number },
): Promise<number> {
  const { n } = await db
    .selectFrom('model_usage')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('stream_id', '=', turnId)
    .where('step', '=', step)
    .where('fence', '>=', fences.from)
    .where('fence', '<=', fences.to)
    .executeTakeFirstOrThrow()
  return Number(n)
}

/** Deletes the row of a request that was not sent. */
export async function deleteUsage(db: Db | Tx, id: string): Promise<void> {
  await db.deleteFrom('model_usage').where('id', '=', id).where('status', '=', 'sent').execute()
}
