// Puts the pieces of tool calls together, in every form in which OpenAI-compatible servers stream them.
import { randomBytes } from 'node:crypto'
import { parseExact } from '../contracts/exact-json.ts'
import { isObjectText } from '../contracts/json.ts'
import { withoutNul } from '../contracts/nul.ts'
import type { ToolCallPart } from '../contracts/model-messages.ts'

/** The metadata of a call: fields that the server requires back with it. */
export interface CallMetadata {
  /** Gemini keeps its thought signatures here. */
  extra_content?: object
}

/** What is read of a piece: any field may be missing, null or of another type. */
interface Piece {
  index?: unknown
  id?: unknown
  function?: { name?: unknown; arguments?: unknown } | null
  extra_content?: unknown
}

interface Draft {
  part: ToolCallPart
  pieces: string[]
}

/** Strict servers take ids of nine letters and digits only (Mistral). */
function newCallId(): string {
  return randomBytes(5).toString('hex').slice(0, 9)
}

export class CallReader {
  readonly #drafts: Draft[] = []
  readonly #byIndex = new Map<number, Draft>()
  #hasToolCalls = false

  /** Whether the arguments of each call are a JSON object, or empty. */
  get areComplete(): boolean {
    return this.#drafts.every(({ pieces }) => pieces.join('').trim() === '' || wholeOf(pieces) !== undefined)
  }

  /** @returns the parts of calls that begin in this chunk */
  read(toolCalls: unknown, functionCall: unknown): ToolCallPart[] {
    const before = this.#drafts.length
    const list = Array.isArray(toolCalls) ? toolCalls : [toolCalls]
    let inChunk = 0
    for (const piece of list as (Piece | null | undefined)[]) {
      if (typeof piece !== 'object' || piece === null) continue
      this.#hasToolCalls = true
      this.#add(piece, inChunk > 0)
      inChunk += 1
    }
    // Some servers send a call in both forms.
    if (!this.#hasToolCalls && typeof functionCall === 'object' && functionCall !== null)
      this.#add({ index: 0, function: functionCall }, false)
    return this.#drafts.slice(before).map(({ part }) => part)
  }

  /** Completes ids and arguments. @returns the calls to keep */
  finish(): Set<ToolCallPart> {
    const kept = new Set<ToolCallPart>()
    const ids = new Set<string>()
    for (const { part, pieces } of this.#drafts) {
      part.arguments = withoutNul((wholeOf(pieces) ?? pieces.join('')).toWellFormed())
      part.name = withoutNul(part.name.toWellFormed())
      if (part.name === '' && part.arguments === '') continue
      if (part.id === '' || ids.has(part.id)) part.id = newCallId()
      ids.add(part.id)
      kept.add(part)
    }
    return kept
  }

  #add(piece: Piece, isLaterInChunk: boolean): void {
    const index = toIndex(piece.index)
    const id = textOf(piece.id)
    const name = textOf(piece.function?.name)
    const args = argumentsOf(piece.function?.arguments)
    const known = this.#find(index, id, name, isLaterInChunk)
    const draft = known && !isNextCall(known, id, name, args) ? known : this.#begin(index)
    const { part } = draft
    if (part.id === '') part.id = id
    part.name = joinName(part.name, name, draft.pieces.length > 0)
    if (args !== '') draft.pieces.push(args)
    if (typeof piece.extra_content === 'object' && piece.extra_content !== null)
      part.metadata = { extra_content: piece.extra_content }
  }

  #begin(index: number | undefined): Draft {
    const draft: Draft = { part: { type: 'tool_call', id: '', name: '', arguments: '' }, pieces: [] }
    this.#drafts.push(draft)
    if (index !== undefined) this.#byIndex.set(index, draft)
    return draft
  }

  /** Which call a piece may belong to: by its index, else by its id, else the last one. */
  #find(index: number | undefined, id: string, name: string, isLaterInChunk: boolean): Draft | undefined {
    if (index !== undefined) return this.#byIndex.get(index)
    const last = this.#drafts.at(-1)
    if (id !== '') {
      const same = this.#drafts.findLast(({ part }) => part.id === id)
      // A piece without a name begins no call: its id is one of the piece.
      return same ?? (name === '' || last?.part.id === '' ? last : undefined)
    }
    if (name === '') return last
    return isLaterInChunk ? undefined : last
  }
}

/** Whether a piece begins another call although its index or id is that of a known one. */
function isNextCall({ part, pieces }: Draft, id: string, name: string, args: string): boolean {
  if (name === '') return false
  const hasOtherId = id !== '' && part.id !== '' && id !== part.id
  if (hasOtherId) return true
  if (part.name === '' || pieces.length === 0) return false
  if (name !== part.name) return !name.startsWith(part.name) && isWhole(wholeOf(pieces))
  return isWhole(args) && isWhole(wholeOf(pieces)) && !isSame(args, wholeOf(pieces)!) && !isPlaceholder(pieces)
}

/** A name comes once, in each piece, in halves, or grows from piece to piece. */
function joinName(known: string, name: string, hasArguments: boolean): string {
  if (known === '' || name.startsWith(known)) return name === '' ? known : name
  return hasArguments ? known : known + name
}

/** The arguments as one JSON object: the pieces joined, or one that repeats all, or all but a `{}` that stood for none. */
function wholeOf(pieces: string[]): string | undefined {
  const candidates = [() => pieces.join(''), () => pieces.at(-1) ?? '', () => pieces.slice(1).join('')]
  for (const candidate of candidates) {
    const text = candidate()
    if (isWhole(text)) return text
  }
  return undefined
}

function isPlaceholder(pieces: string[]): boolean {
  return pieces.length === 1 && pieces[0]!.trim() === '{}'
}

function isWhole(text: string | undefined): boolean {
  return text !== undefined && isObjectText(text)
}

function isSame(a: string, b: string): boolean {
  return a === b || JSON.stringify(parseExact(a)) === JSON.stringify(parseExact(b))
}

function toIndex(value: unknown): number | undefined {
  const index = typeof value === 'string' && value !== '' ? Number(value) : value
  return Number.isSafeInteger(index) ? (index as number) : undefined
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}

function argumentsOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : textOf(value)
}
