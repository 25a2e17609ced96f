// A provider whose answers follow a JSON Schema: an answer that does not is sent back with its faults, a bounded number of times.
import { faultOf } from '../../contracts/arguments.ts'
import { parseExact, rounded } from '../../contracts/exact-json.ts'
import { isObject } from '../../contracts/json.ts'
import { jsonBoundsFault } from '../../contracts/json-bounds.ts'
import {
  textPart,
  type AssistantPart,
  type FinishReason,
  type ModelMessage,
  type TokenUsage,
} from '../../contracts/model-messages.ts'
import { ProviderFailure } from '../../providers/failure.ts'
import type { GenerateRequest, GenerateResult, Provider } from '../../providers/provider.ts'

/** Further requests for one answer. */
const MAX_REPAIRS = 2
/** Longest list of faults that the model is sent, in characters. */
const MAX_FAULTS = 2_000

/** What the instructions say where a vendor does not enforce the schema. */
export function schemaRule(schema: Record<string, unknown>): string {
  return `Answer with one JSON value that follows this JSON Schema, and with nothing else: ${JSON.stringify(schema)}`
}

/** How a reply ended that asking again does not mend. */
const UNFINISHED: Partial<Record<FinishReason, string>> = {
  refusal: 'refused to answer',
  length: 'reached its limit of tokens before its answer was whole',
}

/**
 * Text is held back until it is known to follow the schema: what does not is never shown. A step that calls tools is no answer.
 * @param options shows_unfinished: a refusal, and an answer that reached its limit, are shown as they are
 * @throws ProviderFailure `final` when the answer does not follow it after so many repairs, or is unfinished
 */
export function structuredAnswers(
  provider: Provider,
  schema: Record<string, unknown>,
  { shows_unfinished = false }: { shows_unfinished?: boolean } = {},
): Provider {
  return {
    name: provider.name,
    async generate(request, onDelta, signal): Promise<GenerateResult> {
      const warnings: string[] = []
      const spent: Partial<TokenUsage> = {}
      let asked: GenerateRequest = request
      for (let repairs = 0; ; repairs += 1) {
        const result = await ask(asked)
        addUsage(spent, result.usage)
        warnings.push(...result.warnings)
        const text = textOf(result.parts)
        const isAnswer = result.parts.every(({ type }) => type !== 'tool_call')
        const checked = isAnswer && result.finish_reason !== 'content_filter' ? readAnswer(schema, text) : { text }
        const unfinished = UNFINISHED[result.finish_reason]
        const read = 'fault' in checked && unfinished !== undefined && shows_unfinished ? { text } : checked
        if ('text' in read) {
          const type = result.finish_reason === 'refusal' ? 'refusal' : 'text'
          if (read.text !== '') await onDelta({ type, text: read.text })
          const parts = read.text === text ? result.parts : withText(result.parts, read.text)
          return { ...result, parts, usage: spent, warnings }
        }
        if (unfinished !== undefined)
          throw new ProviderFailure('final', `The model ${unfinished}: nothing follows response_schema`, {
            provider: provider.name,
            how: unfinished,
            is_unsent: true,
            spent,
          })
        if (repairs === MAX_REPAIRS)
          throw new ProviderFailure('final', `The answer does not follow response_schema: ${read.fault}`, {
            provider: provider.name,
            how: 'did not answer as response_schema demands',
            is_unsent: true,
            spent,
          })
        warnings.push(`The answer did not follow response_schema and was asked for again: ${read.fault}`)
        asked = { ...request, messages: [...request.messages, ...correction(text, read.fault)] }
      }

      async function ask(each: GenerateRequest): Promise<GenerateResult> {
        try {
          return await provider.generate(
            each,
            async (delta) => {
              if (delta.type !== 'text' && delta.type !== 'refusal') await onDelta(delta)
            },
            signal,
          )
        } catch (error) {
          throw error instanceof ProviderFailure ? error.withSpent(spent) : error
        }
      }
    },
  }
}

/** The JSON text of an answer, or what is wrong with it. */
export function readAnswer(schema: Record<string, unknown>, answer: string): { text: string } | { fault: string } {
  const text = withoutFence(answer)
  const tooMuch = jsonBoundsFault(Buffer.from(text))
  if (tooMuch !== undefined) return { fault: `the answer must be ${tooMuch}` }
  let value: unknown
  try {
    value = parseExact(text)
  } catch {
    return { fault: 'the answer must be JSON and nothing else' }
  }
  const fault = faultOf(schema, rounded(value), 'answer')
  if (fault === undefined) return { text }
  // Where a vendor demands every property, those that may be left out come as null.
  const without = withoutNulls(value)
  if (faultOf(schema, rounded(without), 'answer') === undefined) return { text: JSON.stringify(without) }
  return { fault: fault.slice(0, MAX_FAULTS) }
}

function withoutFence(answer: string): string {
  const [, inner] = /^\s*```(?:json)?\s*\n([\s\S]*?)\n?```\s*$/.exec(answer) ?? []
  return (inner ?? answer).trim()
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== null)
      .map(([key, each]) => [key, withoutNulls(each)]),
  )
}

function correction(text: string, fault: string): ModelMessage[] {
  return [
    { role: 'assistant', parts: [textPart(text.trim() === '' ? '(empty)' : text)] },
    {
      role: 'user',
      parts: [textPart(`This does not follow the JSON Schema: ${fault}. Answer again, with the JSON value only.`)],
    },
  ]
}

function textOf(parts: readonly AssistantPart[]): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
}

function withText(parts: readonly AssistantPart[], text: string): AssistantPart[] {
  return [...parts.filter(({ type }) => type !== 'text'), textPart(text)]
}

function addUsage(sum: Partial<TokenUsage>, usage: Partial<TokenUsage>): void {
  for (const [name, count] of Object.entries(usage) as [keyof TokenUsage, number][])
    sum[name] = (sum[name] ?? 0) + count
}
