// Cuts a request to the context window of its model, in tokens. Results of tools beyond their share are shortened, then the oldest
// exchanges go, then what was recalled; no tool exchange is divided.
import { estimateTokens } from '../../contracts/tokens.ts'
import type { ModelMessage, ToolResultPart } from '../../contracts/model-messages.ts'
import type { GenerateRequest } from '../../providers/provider.ts'

/** Tokens of a picture: what most vendors count for one of the usual size. */
const PICTURE_TOKENS = 1_600
/** Of a message besides its parts. */
const MESSAGE_TOKENS = 6
/** Kept free for the reply when no longest one is configured: a quarter of the window, at most so much. */
const REPLY_TOKENS = 8_192
/** The estimate may be too low by so much. */
const MARGIN = 1.05
/** A tool's result is not cut below this, in characters. */
const SHORTEST_RESULT = 400
const CUT = '\n[The rest was left out: it did not fit into the context window.]'

/** Of the room for messages, what the results of tools may take while there is anything else to keep. */
const RESULTS_SHARE = 0.5
/** The exchange with what was recalled. */
const MATERIAL_MESSAGES = 2

interface Sized extends Pick<GenerateRequest, 'system' | 'messages' | 'tools' | 'max_output_tokens'> {
  /** What the instructions say of the recalled material, which is the exchange before the question; undefined without one. */
  material_rule?: string | undefined
}

function tokensOf({ parts }: ModelMessage): number {
  return parts.reduce((sum, part) => sum + tokensOfPart(part), MESSAGE_TOKENS)
}

function tokensOfPart(part: ModelMessage['parts'][number]): number {
  switch (part.type) {
    case 'text':
    case 'reasoning':
      return estimateTokens(part.text)
    case 'tool_call':
      return MESSAGE_TOKENS + estimateTokens(part.name) + estimateTokens(part.arguments)
    case 'tool_result':
      return MESSAGE_TOKENS + part.content.reduce((sum, each) => sum + tokensOfPart(each), 0)
    case 'image':
      return PICTURE_TOKENS
    case 'audio':
      return Math.ceil(part.base64.length / 100)
  }
}

export interface Fitted extends Pick<GenerateRequest, 'system' | 'messages'> {
  /** How many of the oldest messages were left out. */
  left_out: number
  /** Whether the recalled material was left out, with its rule. */
  without_material: boolean
  /** Tokens that the window leaves for the reply, estimated; undefined when it is not known. */
  output_room?: number
}

/**
 * @param window undefined when it is not known: then nothing is cut
 * @returns messages that begin with a user's and end with the current turn, whole; only long results of its tools are shortened
 */
export function fitToWindow(request: Sized, window: number | undefined): Fitted {
  const { system, material_rule, tools } = request
  const instructions = material_rule === undefined ? system : `${system}\n\n${material_rule}`
  if (window === undefined)
    return { system: instructions, messages: request.messages, left_out: 0, without_material: false }
  const reply = Math.min(request.max_output_tokens ?? REPLY_TOKENS, Math.floor(window / 4))
  const fixed = estimateTokens(instructions) + estimateTokens(JSON.stringify(tools))
  const room = (window - reply) / MARGIN - fixed
  let total = sum(request.messages)
  let { messages } = request
  const excess = resultsOf(messages) - Math.max(0, room) * RESULTS_SHARE
  if (total > room && excess > 0) messages = withShorterResults(messages, Math.min(excess, total - room))
  const current = messages.findLastIndex(({ role }) => role === 'user')
  const material = material_rule === undefined ? 0 : MATERIAL_MESSAGES
  const sizes = messages.map(tokensOf)
  total = sizes.reduce((all, size) => all + size, 0)
  let from = 0
  // An exchange is a user's message and all that follows it up to the next one.
  while (total > room && from < current - material) {
    const next = messages.findIndex(({ role }, index) => index > from && role === 'user')
    for (; from < next; from += 1) total -= sizes[from]!
  }
  const without_material = total > room && material > 0
  if (without_material) for (; from < current; from += 1) total -= sizes[from]!
  messages = messages.slice(from)
  if (total > room) messages = withShorterResults(messages, total - room)
  return {
    system: without_material ? system : instructions,
    messages,
    left_out: without_material ? from - material : from,
    without_material,
    output_room: Math.max(1, Math.floor(window - (sum(messages) + fixed) * MARGIN)),
  }
}

function sum(messages: readonly ModelMessage[]): number {
  return messages.reduce((all, message) => all + tokensOf(message), 0)
}

function resultsOf(messages: readonly ModelMessage[]): number {
  return sum(messages.filter(({ role }) => role === 'tool'))
}

/** Takes so many tokens away from the results of tools, the oldest first. */
function withShorterResults(messages: ModelMessage[], excess: number): ModelMessage[] {
  let left = excess
  return messages.map((message) => {
    if (message.role !== 'tool' || left <= 0) return message
    const parts = message.parts.map((part): ToolResultPart => {
      const content = part.content.map((each) => {
        if (each.type !== 'text' || left <= 0 || each.text.length <= SHORTEST_RESULT) return each
        const before = estimateTokens(each.text)
        const share = Math.max(0, 1 - (left + estimateTokens(CUT)) / before)
        const text =
          each.text.slice(0, Math.max(SHORTEST_RESULT, Math.floor(each.text.length * share))).toWellFormed() + CUT
        left -= Math.max(0, before - estimateTokens(text))
        return { ...each, text }
      })
      return { ...part, content }
    })
    return { ...message, parts }
  })
}
