// Tool calls as they are sent back to a vendor: ids that are unique, names that vendors accept, arguments that are a JSON object.
import { isObjectText } from '../contracts/json.ts'
import type { ModelMessage } from '../contracts/model-messages.ts'

/** In place of the empty result of a tool. */
export const NO_OUTPUT = '(no output)'

/** Ids that every vendor but Mistral takes. */
export const USUAL_ID = /^[\w-]{1,64}$/
/** Mistral takes ids of nine letters and digits only. */
export const NINE_CHARACTERS = /^[A-Za-z0-9]{9}$/

/**
 * Some servers give calls of different steps one id, or none: each result must answer exactly one call. Calls of another vendor may
 * have ids that this one does not take.
 */
export function withUniqueIds(messages: readonly ModelMessage[], accepted?: RegExp): ModelMessage[] {
  const used = new Set<string>()
  /** New ids of the calls of the latest assistant message, in their order, by the id that the model gave. */
  let renamed = new Map<string, string[]>()
  const unique = (id: string) => {
    let free = accepted?.test(id) === false ? '' : id
    for (let n = 1; free === '' || used.has(free); n += 1) free = callId(n)
    used.add(free)
    renamed.set(id, [...(renamed.get(id) ?? []), free])
    return free
  }
  return messages.map((message): ModelMessage => {
    if (message.role === 'tool') {
      const parts = message.parts.map((part) => ({
        ...part,
        call_id: renamed.get(part.call_id)?.shift() ?? part.call_id,
      }))
      return { ...message, parts }
    }
    if (message.role !== 'assistant') return message
    renamed = new Map()
    const parts = message.parts.map((part) => (part.type === 'tool_call' ? { ...part, id: unique(part.id) } : part))
    return { ...message, parts }
  })
}

function callId(n: number): string {
  return `call${String(n).padStart(5, '0')}`
}

export function sentName(name: string): string {
  return name.replaceAll(/[^\w-]/g, '_').slice(0, 64) || '_'
}

/** Strict servers parse the arguments of earlier calls: what the model wrote that is no JSON object goes back inside of one. */
export function sentArguments(args: string): string {
  if (args.trim() === '') return '{}'
  return isObjectText(args) ? args : JSON.stringify({ not_json: args })
}
