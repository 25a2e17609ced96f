// Cuts a request to the context window of its model, in tokens: the oldest exchanges go first, and no tool exchange is divided.
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

type Sized = Pick<GenerateRequest, 'system' | 'messages' | 'tools' | 'max_output_tokens'>

/** Estimated: models divide English into pieces of about four characters, other scripts into shorter ones. */
export function countTokens(text: string): number {
  let others = 0
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 0x2ff) others += 1
  return Math.ceil((text.length - others) / 4 + others / 1.3)
}

function tokensOf({ parts }: ModelMessage): number {
  return parts.reduce((sum, part) => sum + tokensOfPart(part), MESSAGE_TOKENS)
}

function tokensOfPart(part: ModelMessage['parts'][number]): number {
  switch (part.type) {
    case 'text':
    case 'reasoning':
      return countTokens(part.text)
    case 'tool_call':
      return MESSAGE_TOKENS + countTokens(part.name) + countTokens(part.arguments)
    case 'tool_result':
      return MESSAGE_TOKENS + part.content.reduce((sum, each) => sum + tokensOfPart(each), 0)
    case 'image':
      return PICTURE_TOKENS
    case 'audio':
      return Math.ceil(part.base64.length / 100)
  }
}

export interface Fitted {
  messages: ModelMessage[]
  /** How many of the oldest messages were left out. */
  left_out: number
}

/**
 * @param window undefined when it is not known: then nothing is cut
 * @returns messages that begin with a user's and end with the current turn, whole; only long results of its tools are shortened
 */
export function fitToWindow(request: Sized, window: number | undefined): Fitted {
  const { messages } = request
  if (window === undefined) return { messages, left_out: 0 }
  const reply = Math.min(request.max_output_tokens ?? REPLY_TOKENS, Math.floor(window / 4))
  const fixed = countTokens(request.system) + countTokens(JSON.stringify(request.tools))
  const room = (window - reply) / MARGIN - fixed
  const current = messages.findLastIndex(({ role }) => role === 'user')
  const sizes = messages.map(tokensOf)
  let total = sizes.reduce((sum, size) => sum + size, 0)
  let from = 0
  // An exchange is a user's message and all that follows it up to the next one.
  while (total > room && from < current) {
    const next = messages.findIndex(({ role }, index) => index > from && role === 'user')
    for (; from < next; from += 1) total -= sizes[from]!
  }
  const kept = messages.slice(from)
  return { messages: total > room ? withShorterResults(kept, total - room) : kept, left_out: from }
}

/** Takes so many tokens away from the results of tools, the oldest first. */
function withShorterResults(messages: ModelMessage[], excess: number): ModelMessage[] {
  let left = excess
  return messages.map((message) => {
    if (message.role !== 'tool' || left <= 0) return message
    const parts = message.parts.map((part): ToolResultPart => {
      const content = part.content.map((each) => {
        if (each.type !== 'text' || left <= 0 || each.text.length <= SHORTEST_RESULT) return each
        const before = countTokens(each.text)
        const share = Math.max(0, 1 - (left + countTokens(CUT)) / before)
        const text =
          each.text.slice(0, Math.max(SHORTEST_RESULT, Math.floor(each.text.length * share))).toWellFormed() + CUT
        left -= Math.max(0, before - countTokens(text))
        return { ...each, text }
      })
      return { ...part, content }
    })
    return { ...message, parts }
  })
}
