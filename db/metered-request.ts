// Requests that are no chats, each with its usage row: checked against the budgets before, booked after.
import type { Billed, Count, Used } from '../contracts/billed.ts'
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

/**
 * Sends a request that is paid for.
 * @param send reports what the server has counted, once for each of its answers
 * @throws MuxiError `budget_exceeded` before anything is sent, or what `send` throws
 */
export async function sendMetered<T>(
  db: Db,
  { kind, stream_id, owner, billed, estimate }: MeteredRequest,
  send: (count: Count) => Promise<T>,
): Promise<T> {
  const { provider, model } = billed
  const tokens = estimate.input_tokens + (estimate.output_tokens ?? 0)
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
    input_tokens: estimate.input_tokens,
    reserved_tokens: tokens,
    reserved_cost_usd: cost_usd ?? null,
    units: estimate.units ?? null,
  }
  const needed = { tokens, cost_usd: cost_usd ?? 0 }
  const { id, exceeded } = await db.transaction().execute((tx) => reserveUsage(tx, start, needed))
  if (exceeded) throw budgetExceeded(exceeded)
  const answers: (Partial<Used> | undefined)[] = []
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
    const counts = broke ? undefined : countsOf(answers, billed.counted)
    const used = { ...estimate, ...counts }
    const cost = billed.costOf(used)
    const { input_tokens, output_tokens = 0, units } = used
    await completeUsage(db, id!, {
      input_tokens,
      output_tokens,
      estimated: counts === undefined,
      ...(units !== undefined && { units }),
      ...(cost !== undefined && { cost_usd: cost }),
    })
  }
}

/** The sums over all answers; undefined when there is none, or the server did not count one of them. */
function countsOf(
  answers: readonly (Partial<Used> | undefined)[],
  counted: Billed['counted'],
): Partial<Used> | undefined {
  const isCounted = (answer: Partial<Used> | undefined) =>
    counted === 'tokens' ? isTokenCount(answer?.input_tokens) : isUnitCount(answer?.units)
  if (answers.length === 0 || !answers.every(isCounted)) return undefined
  const sum = (field: keyof Used, isCount: (value: unknown) => boolean) =>
    answers.reduce((total, answer) => total + (isCount(answer?.[field]) ? answer![field]! : 0), 0)
  if (counted === 'units') return { units: sum('units', isUnitCount) }
  return {
    input_tokens: sum('input_tokens', isTokenCount),
    output_tokens: sum('output_tokens', isTokenCount),
    audio_tokens: sum('audio_tokens', isTokenCount),
  }
}

function isUnitCount(value: unknown): boolean {
  return Number.isFinite(value) && (value as number) >= 0
}

/** Whether a server has answered with an error, or no request was sent. */
function isRefusal(error: unknown): boolean {
  const { status, isUnsent } = (error ?? {}) as { status?: unknown; isUnsent?: unknown }
  return typeof status === 'number' || isUnsent === true
}
