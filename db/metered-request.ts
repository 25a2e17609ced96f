// Requests that are no chats, each with its usage row: checked against the budgets before, booked after.
import type { Billed, Used } from '../contracts/billed.ts'
import { budgetExceeded, type UsageOwner } from '../contracts/budget.ts'
import { isTokenCount } from '../contracts/model-messages.ts'
import { completeUsage, deleteUsage, reserveUsage, type UsageKind } from './queries/usage.ts'
import type { Db } from './schema.ts'

/** Place of these requests in the usage of a turn or job: they are no step of a reply. */
export const NO_STEP = -2

export interface MeteredRequest {
  kind: Exclude<UsageKind, 'chat'>
  /** The turn or job, or the request that belongs to none. */
  stream_id: string
  owner: UsageOwner
  billed: Billed
  /** What it takes, as far as is known before. */
  estimate: Used
}

/** What a server has counted of a request; undefined when it counts nothing. */
export type Counted = Partial<Used> | undefined

/**
 * Sends a request that is paid for.
 * @param send tells what the server has counted, once for each of its answers
 * @throws MuxiError `budget_exceeded` before anything is sent, or what `send` throws
 */
export async function sendMetered<T>(
  db: Db,
  { kind, stream_id, owner, billed, estimate }: MeteredRequest,
  send: (count: (counted: Counted) => void) => Promise<T>,
): Promise<T> {
  const { provider, model } = billed
  const tokens = estimate.input_tokens
  const cost_usd = billed.costOf(estimate)
  const start = {
    key_id: owner.key_id,
    user_id: owner.user_id,
    agent_id: owner.agent_id,
    stream_id,
    kind,
    provider,
    model,
    step: NO_STEP,
    fence: 0,
    input_tokens: tokens,
    reserved_tokens: tokens,
    reserved_cost_usd: cost_usd ?? null,
    units: estimate.units ?? null,
  }
  const needed = { tokens, cost_usd: cost_usd ?? 0 }
  const { id, exceeded } = await db.transaction().execute((tx) => reserveUsage(tx, start, needed))
  if (exceeded) throw budgetExceeded(exceeded)
  const answers: Counted[] = []
  let result: T
  try {
    result = await send((counted) => answers.push(counted))
  } catch (error) {
    // A refusal costs nothing; what was answered before it, or is perhaps still computed without an answer, does.
    if (answers.length === 0 && isRefusal(error)) await deleteUsage(db, id)
    else await complete(true)
    throw error
  }
  await complete(false)
  return result

  async function complete(broke: boolean): Promise<void> {
    const counts = answers.map((counted) => counted?.input_tokens).filter(isTokenCount)
    const isCounted = !broke && counts.length > 0 && counts.length === answers.length
    const { input_tokens, output_tokens = 0 } = isCounted
      ? { input_tokens: sumOf(counts), output_tokens: sumOf(answers.map((counted) => counted?.output_tokens ?? 0)) }
      : estimate
    const cost = billed.costOf({ ...estimate, input_tokens, output_tokens })
    const spent = { input_tokens, output_tokens, estimated: !isCounted, ...(cost !== undefined && { cost_usd: cost }) }
    await completeUsage(db, id!, spent)
  }
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}

/** Whether a server has answered with an error, or no request was sent. */
function isRefusal(error: unknown): boolean {
  const { status, isUnsent } = (error ?? {}) as { status?: unknown; isUnsent?: unknown }
  return typeof status === 'number' || isUnsent === true
}
