// The chunks of a streamed chat completion, byte for byte as OpenAI frames them: every event ends in a blank line.
import type { Usage } from '../../contracts/events.ts'
import type { FinishReason } from '../../contracts/model-messages.ts'
import type { OpenaiError } from './errors.ts'

export const DONE = 'data: [DONE]\n\n'

export interface CompletionHead {
  id: string
  /** In seconds. */
  created: number
  model: string
}

export interface ReturnedCall {
  id: string
  name: string
  arguments: string
}

export class Chunks {
  readonly #head: CompletionHead
  readonly #withUsage: boolean

  /** @param withUsage `stream_options.include_usage`: then every chunk has the key, null in all but the last */
  constructor(head: CompletionHead, withUsage: boolean) {
    this.#head = head
    this.#withUsage = withUsage
  }

  /** The first chunk. */
  role(): string {
    return this.#choice({ role: 'assistant', content: '', refusal: null })
  }

  text(content: string): string {
    return this.#choice({ content })
  }

  refusal(refusal: string): string {
    return this.#choice({ refusal })
  }

  /** A call of the caller's tool: its name, then its arguments. */
  call({ id, name, arguments: text }: ReturnedCall, index: number): string {
    const begun = { index, id, type: 'function', function: { name, arguments: '' } }
    const first = this.#choice({ tool_calls: [begun] })
    return text === '' ? first : first + this.#choice({ tool_calls: [{ index, function: { arguments: text } }] })
  }

  /** The last chunk with a choice, that with the usage, and the end. */
  end(reason: FinishReason | undefined, usage: Usage): string {
    const last = this.#choice({}, toFinishReason(reason))
    return last + (this.#withUsage ? this.#frame({ choices: [], usage: toUsage(usage) }) : '') + DONE
  }

  #choice(delta: object, finish_reason: string | null = null): string {
    const choices = [{ index: 0, delta, logprobs: null, finish_reason }]
    return this.#frame({ choices, ...(this.#withUsage && { usage: null }) })
  }

  #frame(rest: object): string {
    const { id, created, model } = this.#head
    return frame({ id, object: 'chat.completion.chunk', created, model, ...rest })
  }
}

/** What was streamed cannot be taken back: the clients raise this, and the stream ends. */
export function errorChunk(error: OpenaiError): string {
  return frame({ error }) + DONE
}

function frame(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

export function toFinishReason(reason: FinishReason | null | undefined): Exclude<FinishReason, 'error' | 'refusal'> {
  return reason == null || reason === 'error' || reason === 'refusal' ? 'stop' : reason
}

export function toUsage({ input_tokens, output_tokens }: Usage) {
  return {
    prompt_tokens: input_tokens,
    completion_tokens: output_tokens,
    total_tokens: input_tokens + output_tokens,
  }
}
