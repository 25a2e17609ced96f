// Puts streamed pieces of tool calls together. Servers send them with or without index and id, in pieces or whole, once or
// repeated.
import type { ToolCallPart } from '../contracts/model-messages.ts'

/** What is read of a piece: any field may be missing, null or of another type. */
export interface CallPiece {
  index?: unknown
  id?: unknown
  function?: { name?: unknown; arguments?: unknown } | null
  extra_content?: unknown
}

export class CallPieces {
  /** In the order in which they began. */
  readonly calls: ToolCallPart[] = []
  readonly #byIndex = new Map<number, ToolCallPart>()

  /** @returns the call that the piece begins; undefined: it continues one */
  add(piece: CallPiece): ToolCallPart | undefined {
    const id = typeof piece.id === 'string' ? piece.id : ''
    const name = typeof piece.function?.name === 'string' ? piece.function.name : ''
    const args = argumentsOf(piece.function?.arguments)
    const index = typeof piece.index === 'number' ? piece.index : undefined
    const known = this.#find(index, id, name, args)
    const call: ToolCallPart = known ?? { type: 'tool_call', id: '', name: '', arguments: '' }
    if (index !== undefined) this.#byIndex.set(index, call)
    call.id ||= id
    call.name = joinName(call, name)
    // The whole arguments may be repeated in a last piece.
    if (!(isWhole(args) && isWhole(call.arguments))) call.arguments += args
    if (piece.extra_content) call.metadata = { extra_content: piece.extra_content }
    if (known) return undefined
    this.calls.push(call)
    return call
  }

  /** Whether the arguments of every call can be read, as in a reply that was not cut. */
  get complete(): boolean {
    return this.calls.every(({ arguments: args }) => args.trim() === '' || isWhole(args))
  }

  #find(index: number | undefined, id: string, name: string, args: string): ToolCallPart | undefined {
    if (index !== undefined) {
      const call = this.#byIndex.get(index)
      // Some servers number every call 0.
      return call && isNext(call, id, name, args) ? undefined : call
    }
    if (id !== '') {
      const call = this.calls.findLast((each) => each.id === id)
      if (call) return isNext(call, id, name, args) ? undefined : call
      const last = this.calls.at(-1)
      // The id may follow in a later piece.
      return last?.id === '' && name === '' ? last : undefined
    }
    const last = this.calls.at(-1)
    return last && isNext(last, id, name, args) ? undefined : last
  }
}

/** Whether a piece begins another call after one that has begun. */
function isNext(call: ToolCallPart, id: string, name: string, args: string): boolean {
  if (name === '' || call.name === '') return false
  if (id !== '' && call.id !== '' && id !== call.id) return true
  if (!isWhole(call.arguments)) return call.arguments !== '' && name !== call.name
  return name !== call.name || (isWhole(args) && args !== call.arguments)
}

/** A name may come in halves, or again in each piece. */
function joinName(call: ToolCallPart, name: string): string {
  if (name === call.name || call.arguments !== '') return call.name || name
  return name.startsWith(call.name) ? name : call.name + name
}

function argumentsOf(value: unknown): string {
  if (typeof value === 'string') return value
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : ''
}

function isWhole(args: string): boolean {
  if (!args.trimStart().startsWith('{') || !args.trimEnd().endsWith('}')) return false
  try {
    JSON.parse(args)
    return true
  } catch {
    return false
  }
}
