// What all model calls share: the estimate, the usage row, the budgets that pay for it, and the meaning of the finish reason.
import { budgetExceeded, type UsageOwner } from '../contracts/budget.ts'
import { isTokenCount, textOf, type TokenUsage } from '../contracts/model-messages.ts'
import { estimateTokens } from '../contracts/tokens.ts'
import type { Needed } from '../db/queries/budgets.ts'
import { completeUsage, deleteUsage, reserveUsage, type SpentTokens, type UsageStart } from '../db/queries/usage.ts'
import type { Db, Tx } from '../db/schema.ts'
import { ProviderFailure } from '../providers/failure.ts'
import type { GenerateRequest, GenerateResult, Provider } from '../providers/provider.ts'
import type { ChainModel } from '../providers/registry.ts'

/** Attempts at the next model of a chain count on from here, so that they fence off those at the one before. */
export const ATTEMPTS_A_MODEL = 1_000

/** Tokens of the text that is sent, tools included; pictures are not counted. */
export function estimateInput({
  system,
  messages,
  tools,
}: Pick<GenerateRequest, 'system' | 'messages' | 'tools'>): number {
  const described = tools.length === 0 ? '' : JSON.stringify(tools)
  return messages.reduce((sum, message) => sum + estimateTokens(textOf(message)), estimateTokens(system + described))
}

/** Tokens of a reply, for what is not known before the call. */
const USUAL_REPLY = 1_000

/** What a call would cost with a usual reply; undefined where the price is not known. */
export function usualCost(
  { known, max_output_tokens }: Pick<ChainModel, 'known' | 'max_output_tokens'>,
  input_tokens: number,
): number | undefined {
  return known.costOf({ input_tokens, output_tokens: max_output_tokens ?? USUAL_REPLY })
}

/** What is reserved in the budgets while a call is in progress: its input and a usual reply, or a shorter one where that is the limit. */
export function reservationOf(
  model: Pick<ChainModel, 'known' | 'max_output_tokens'>,
  input_tokens: number,
): Pick<UsageStart, 'reserved_tokens' | 'reserved_cost_usd'> {
  const output_tokens = Math.min(model.max_output_tokens ?? USUAL_REPLY, USUAL_REPLY)
  return {
    reserved_tokens: input_tokens + output_tokens,
    reserved_cost_usd: model.known.costOf({ input_tokens, output_tokens }) ?? null,
  }
}

/** What a call takes for certain: its input. */
export function neededBy({ known }: Pick<ChainModel, 'known'>, input_tokens: number): Needed {
  return { tokens: input_tokens, cost_usd: known.costOf({ input_tokens, output_tokens: 0 }) ?? 0 }
}

/** The usage of a request: each count of the provider, else the estimate where there is none or one that cannot be stored. */
export function spentBy(
  { known }: Pick<ChainModel, 'known'>,
  counted: Partial<TokenUsage>,
  estimate: TokenUsage,
): SpentTokens {
  const { input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens } = counted
  const tokens = {
    input_tokens: isTokenCount(input_tokens) ? input_tokens : estimate.input_tokens,
    output_tokens: isTokenCount(output_tokens) ? output_tokens : estimate.output_tokens,
    ...(isTokenCount(cached_tokens) && { cached_tokens }),
    ...(isTokenCount(cache_write_tokens) && { cache_write_tokens }),
    ...(isTokenCount(reasoning_tokens) && { reasoning_tokens }),
  }
  const cost_usd = known.costOf(tokens)
  const estimated = !isTokenCount(input_tokens) || !isTokenCount(output_tokens)
  return { ...tokens, ...(cost_usd !== undefined && { cost_usd }), estimated }
}

/**
 * The usage of a failed call: its last request is estimated, those before it were counted.
 * @param estimate of the last request
 * @returns undefined when nothing was sent
 */
export function spentByFailure(
  model: Pick<ChainModel, 'known'>,
  failure: unknown,
  estimate: TokenUsage,
): SpentTokens | undefined {
  const { spent, isUnsent } = failure instanceof ProviderFailure ? failure : {}
  if (isUnsent) return spent && spentBy(model, spent, { input_tokens: 0, output_tokens: 0 })
  const { input_tokens = 0, output_tokens = 0, cached_tokens, cache_write_tokens } = spent ?? {}
  return spentBy(
    model,
    { cached_tokens, cache_write_tokens },
    { input_tokens: input_tokens + estimate.input_tokens, output_tokens: output_tokens + estimate.output_tokens },
  )
}

/** Completes the usage row of a call. @param spent undefined of a call that sent nothing, whose row is deleted */
export async function settleUsage(db: Db | Tx, usageId: string, spent: SpentTokens | undefined): Promise<void> {
  if (spent) await completeUsage(db, usageId, spent)
  else await deleteUsage(db, usageId)
}

/**
 * The reply of a call, unless it ended without one.
 * @throws ProviderFailure `retry` after an error, `final` when a filter left nothing
 */
export function usableReply(result: GenerateResult, provider: string): GenerateResult {
  const { finish_reason, parts, usage } = result
  const options = { provider, ...(isTokenCount(usage.input_tokens) && { spent: usage, is_unsent: true }) }
  if (finish_reason === 'error') throw new ProviderFailure('retry', 'The model ended its answer with an error', options)
  const isEmpty = parts.every((part) => part.type === 'reasoning')
  if (finish_reason === 'content_filter' && isEmpty)
    throw new ProviderFailure('final', 'The model refused by its content policy', options)
  return result
}

/** Places in the usage of a turn, of calls that are no step of its reply. */
export const ROUTING_STEP = 0
export const MEMORY_STEP = -1

export interface MeteredCall {
  owner: UsageOwner
  /** Place of the call in the usage of the turn or job. */
  step: number
  /** Ascends with every attempt at the call. */
  fence: number
  model: ChainModel
  provider: Provider
  request: GenerateRequest
  /** Longest text that is kept, in characters. */
  max_characters: number
}

/**
 * Calls a model for its whole text: the usage row before, its completion or its estimate after.
 * @param streamId the turn, or the job that belongs to none
 * @throws ProviderFailure, MuxiError `budget_exceeded` when a budget leaves no room for the call, or the signal's reason
 */
export async function callMetered(
  db: Db,
  streamId: string,
  { owner, step, fence, model, provider, request, max_characters }: MeteredCall,
  signal: AbortSignal,
): Promise<{ text: string } & Pick<GenerateResult, 'finish_reason' | 'usage'>> {
  const input_tokens = estimateInput(request)
  const start = {
    ...owner,
    stream_id: streamId,
    step,
    fence,
    provider: model.provider,
    model: model.model,
    input_tokens,
    ...reservationOf(model, input_tokens),
  }
  const { id: usageId, exceeded } = await db
    .transaction()
    .execute((tx) => reserveUsage(tx, start, neededBy(model, input_tokens)))
  if (exceeded) throw budgetExceeded(exceeded)
  let received = ''
  let result: GenerateResult
  try {
    result = await provider.generate(
      request,
      ({ type, text }) => {
        if (type === 'text' || type === 'refusal') received = (received + text).slice(0, max_characters)
        return Promise.resolve()
      },
      signal,
    )
  } catch (error) {
    await settleUsage(db, usageId, spentByFailure(model, error, estimate()))
    throw error
  }
  await completeUsage(db, usageId, spentBy(model, result.usage, estimate()))
  const { finish_reason, usage } = usableReply(result, provider.name)
  return { text: received.trim(), finish_reason, usage }

  function estimate(): TokenUsage {
    return { input_tokens, output_tokens: estimateTokens(received) }
  }
}
