// Which of the offered tools a server's refusal of a request is about: its schema is one that the vendor does not take.
import { isObject } from '../contracts/json.ts'

const REFUSALS = [400, 422]
/** `tools[3]`, `tools.3.custom`, `function_declarations[3]`: the place of the tool in the request. The last one counts: Gemini has all in `tools[0]`. */
const PLACE = /\b(?:tools|functions|function_?declarations)\s*(?:\[|\.|\/)\s*(\d+)/gi
const QUOTED = /(?<![\w-])['"`“‘]([\w.-]{1,128})['"`”’]/g

interface Refusal {
  status?: number | undefined
  message?: string
  param?: unknown
  /** The body of the answer, or the error in it. */
  error?: unknown
}

/** @returns names of tools; none when the refusal is about something else */
export function refusedTools({ status, message = '', param, error }: Refusal, names: readonly string[]): string[] {
  const { code } = isObject(error) ? error : {}
  if (!REFUSALS.includes(status ?? Number(code))) return []
  const text = `${message} ${typeof param === 'string' ? param : ''} ${error === undefined ? '' : JSON.stringify(error)}`
  // In JSON quotes are escaped.
  const plain = text.replaceAll('\\', '')
  if (!/tool|function|schema|parameter/i.test(plain)) return []
  const named = [...plain.matchAll(QUOTED)].map(([, name]) => name!)
  const byName = names.filter((name) => named.includes(name))
  if (byName.length > 0) return byName
  const places = [...plain.matchAll(PLACE)]
  const isDeclared = places.some(([all]) => /declarations/i.test(all))
  const indices = places.filter(([all]) => !isDeclared || /declarations/i.test(all)).map(([, index]) => Number(index))
  return [...new Set(indices.flatMap((index) => names[index] ?? []))]
}
