// The parts of a reply while it streams: pieces become parts, no character is cut, and text and reasoning are passed on.
import type { AssistantPart, FinishReason, ProviderMetadata, ToolCallPart } from '../contracts/model-messages.ts'
import { withoutNul } from '../contracts/nul.ts'
import type { Delta } from './provider.ts'

type TextType = 'text' | 'reasoning'
/** What is passed on: a refusal is a part of text. */
type PieceType = TextType | 'refusal'

export class ReplyParts {
  readonly parts: AssistantPart[] = []
  readonly #onDelta: (delta: Delta) => Promise<void>
  readonly #halves = { text: '', refusal: '', reasoning: '' }
  #hasRefusal = false

  constructor(onDelta: (delta: Delta) => Promise<void>) {
    this.#onDelta = onDelta
  }

  /** Adds a piece to the last part if it is of the same type, else begins a part. @param metadata of the part that begins */
  async add(type: PieceType, piece: unknown, metadata?: object): Promise<void> {
    if (typeof piece !== 'string' || piece === '') return
    const [text, half] = splitHalf(this.#halves[type] + piece)
    this.#halves[type] = half
    await this.#give(type, text, metadata)
  }

  /** Begins a part, although the last one may be of the same type. */
  async begin(type: TextType, metadata?: ProviderMetadata): Promise<Extract<AssistantPart, { type: TextType }>> {
    await this.finish()
    const part = { type, text: '', ...(metadata && { metadata }) }
    this.parts.push(part)
    return part
  }

  /** Adds a call, whose arguments may follow. */
  async addCall(call: ToolCallPart): Promise<void> {
    this.parts.push(call)
    await this.#onDelta({ type: 'tool_call', text: '' })
  }

  /** Passes on what was held back. */
  async finish(): Promise<void> {
    for (const type of ['reasoning', 'text', 'refusal'] as const) {
      const half = this.#halves[type]
      this.#halves[type] = ''
      await this.#give(type, half.toWellFormed())
    }
  }

  /** Why the reply ended. @param told what the vendor says, which does not tell a refusal from an answer */
  endedBy(told: FinishReason): FinishReason {
    return this.#hasRefusal && told === 'stop' ? 'refusal' : told
  }

  async #give(piece: PieceType, given: string, metadata?: object): Promise<void> {
    if (given === '') return
    const text = withoutNul(given)
    const type = piece === 'refusal' ? 'text' : piece
    if (piece === 'refusal') this.#hasRefusal = true
    const last = this.parts.at(-1)
    if (last?.type === type) last.text += text
    else this.parts.push({ type, text, ...(metadata && { metadata: { ...metadata } }) })
    await this.#onDelta({ type: piece, text })
  }
}

/** Holds back the first half of a surrogate pair whose second half comes with the next piece. */
function splitHalf(text: string): [whole: string, half: string] {
  const last = text.charCodeAt(text.length - 1)
  const end = last >= 0xd800 && last <= 0xdbff ? text.length - 1 : text.length
  return [text.slice(0, end).toWellFormed(), text.slice(end)]
}
