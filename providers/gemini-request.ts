// A neutral request in the form of Gemini's generateContent.
import type {
  Content,
  FunctionCallingConfigMode,
  GenerateContentConfig,
  GenerateContentParameters,
  Part,
} from '@google/genai/web'
import { parseExact } from '../contracts/exact-json.ts'
import type { AssistantPart, ModelMessage, ToolResultPart, UserPart } from '../contracts/model-messages.ts'
import type { Reasoning } from '../contracts/schemas/agent.ts'
import type { GeminiMetadata } from './gemini-reader.ts'
import type { GenerateRequest } from './provider.ts'
import { NO_OUTPUT, sentArguments, sentName } from './sent-calls.ts'
import { strictSchema } from './strict-schema.ts'

/** Models that reason within a budget of tokens; newer ones take a level. */
const BUDGETED = /^gemini-(1|2)/
const BUDGETS: Record<Reasoning, number> = { none: 0, low: 1_024, medium: 8_192, high: 24_576 }
/** Google's word for a call that came without a signature: another model made it. */
const FOREIGN_CALL = 'skip_thought_signature_validator'

/** @returns the request for the client, and what of it could not be expressed in this form */
export function toGeminiParams(request: GenerateRequest): { params: GenerateContentParameters; warnings: string[] } {
  const { model, system, tools, temperature, top_p, max_output_tokens, response_schema } = request
  const { stop, seed, frequency_penalty, presence_penalty } = request
  const signs = !BUDGETED.test(model)
  const config: GenerateContentConfig = {
    ...(system !== '' && { systemInstruction: { parts: [{ text: system }] } }),
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { topP: top_p }),
    ...(max_output_tokens !== undefined && { maxOutputTokens: max_output_tokens }),
    ...(stop !== undefined && { stopSequences: stop }),
    // An integer of 32 bits there.
    ...(seed !== undefined && { seed: seed | 0 }),
    ...(frequency_penalty !== undefined && { frequencyPenalty: frequency_penalty }),
    ...(presence_penalty !== undefined && { presencePenalty: presence_penalty }),
    ...(tools.length > 0 && {
      tools: [
        {
          functionDeclarations: tools.map(({ name, description, parameters }) => ({
            name,
            description,
            parametersJsonSchema: parameters,
          })),
        },
      ],
      ...toChoice(request),
    }),
    ...toThinking(request),
    ...(response_schema !== undefined && {
      responseMimeType: 'application/json',
      responseJsonSchema: strictSchema(response_schema),
    }),
  }
  const ids = ownIds(request.messages)
  const contents = merged(request.messages.map((message) => toContent(message, { signs, ids })))
  return { params: { model, contents, config }, warnings: [] }
}

function toChoice({ tool_choice }: GenerateRequest): Pick<GenerateContentConfig, 'toolConfig'> {
  if (tool_choice === undefined) return {}
  const names = tool_choice === 'required' ? {} : { allowedFunctionNames: [tool_choice.name] }
  return { toolConfig: { functionCallingConfig: { mode: 'ANY' as FunctionCallingConfigMode, ...names } } }
}

function toThinking({ model, reasoning }: GenerateRequest): Pick<GenerateContentConfig, 'thinkingConfig'> {
  if (reasoning === undefined) return {}
  const includeThoughts = reasoning !== 'none'
  if (BUDGETED.test(model)) return { thinkingConfig: { includeThoughts, thinkingBudget: BUDGETS[reasoning] } }
  // The newer models cannot be kept from reasoning altogether.
  const level = reasoning === 'none' ? 'MINIMAL' : reasoning.toUpperCase()
  return { thinkingConfig: { includeThoughts, thinkingLevel: level as never } }
}

/** Roles alternate: results of tools and what follows them are of the user. */
function merged(contents: Content[]): Content[] {
  const kept: (Content & { parts: Part[] })[] = []
  for (const { role = 'user', parts = [] } of contents) {
    if (parts.length === 0) continue
    const last = kept.at(-1)
    if (last?.role === role) last.parts.push(...parts)
    else kept.push({ role, parts: [...parts] })
  }
  return kept
}

interface Sending {
  /** Whether calls of the model have signatures. */
  signs: boolean
  /** The ids of calls that are Gemini's own. */
  ids: ReadonlySet<string>
}

function toContent(message: ModelMessage, { signs, ids }: Sending): Content {
  switch (message.role) {
    case 'user':
      return { role: 'user', parts: message.parts.flatMap((part) => toPart(part)) }
    case 'assistant':
      return { role: 'model', parts: toModelParts(message.parts, signs) }
    case 'tool':
      return { role: 'user', parts: toResults(message.parts, ids) }
  }
}

function toPart(part: UserPart): Part[] {
  if (part.type === 'text') return part.text === '' ? [] : [{ text: part.text }]
  return [{ inlineData: { mimeType: part.media_type, data: part.base64 } }]
}

/** Reasoning itself is not sent back: its signature is, on the part that it came with. */
function toModelParts(parts: readonly AssistantPart[], signs: boolean): Part[] {
  let isFirstCall = true
  return parts.flatMap((part): Part[] => {
    const { signature } = (part.metadata ?? {}) as GeminiMetadata
    const signed = typeof signature === 'string' ? { thoughtSignature: signature } : {}
    switch (part.type) {
      case 'reasoning':
        return []
      case 'text':
        return part.text === '' && signature === undefined ? [] : [{ text: part.text, ...signed }]
      case 'tool_call': {
        const args = parseExact(sentArguments(part.arguments)) as Record<string, unknown>
        const foreign = signs && isFirstCall && signature === undefined ? { thoughtSignature: FOREIGN_CALL } : {}
        isFirstCall = false
        return [
          { functionCall: { ...idOf(part.id, part.metadata), name: sentName(part.name), args }, ...foreign, ...signed },
        ]
      }
    }
  })
}

function ownIds(messages: readonly ModelMessage[]): ReadonlySet<string> {
  const calls = messages.flatMap(({ role, parts }) => (role === 'assistant' ? parts : []))
  const own = calls.filter((part) => part.type === 'tool_call' && (part.metadata as GeminiMetadata | undefined)?.has_id)
  return new Set(own.map((part) => ('id' in part ? part.id : '')))
}

/** Ids that we made up are not sent: results are then matched by their order. */
function idOf(id: string, metadata: object | undefined): { id?: string } {
  return (metadata as GeminiMetadata | undefined)?.has_id === true ? { id } : {}
}

function toResults(parts: readonly ToolResultPart[], ids: ReadonlySet<string>): Part[] {
  const results = parts.map(({ call_id, name, content, is_error }): Part => {
    const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('') || NO_OUTPUT
    const response = is_error ? { error: text } : { output: text }
    return { functionResponse: { ...(ids.has(call_id) && { id: call_id }), name: sentName(name), response } }
  })
  const pictures = parts.flatMap(({ content }) => content.filter(({ type }) => type === 'image'))
  if (pictures.length === 0) return results
  return [...results, { text: 'Pictures in the answers of the tools:' }, ...pictures.flatMap((part) => toPart(part))]
}
