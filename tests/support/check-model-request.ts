// What strict servers of OpenAI's chat completions refuse in a request: roles, contents, tool calls and results, media types, schemas.
import { isObject } from '../../contracts/json.ts'

/** What is read of a request: any field may be missing or of another type. */
interface Message {
  role?: unknown
  content?: unknown
  tool_calls?: unknown
  tool_call_id?: unknown
}

const ROLES = ['system', 'user', 'assistant', 'tool']
const IMAGE = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}$/
const AUDIO_FORMATS: unknown[] = ['wav', 'mp3']
const NAME = /^[A-Za-z0-9_-]{1,64}$/

/** @returns the faults, each with its place in the request; none when a strict server takes it */
export function checkModelRequest(body: unknown): string[] {
  if (!isObject(body)) return ['body: must be an object']
  const { messages, tools, response_format } = body
  if (!Array.isArray(messages) || messages.length === 0) return ['messages: must be a list with messages']
  return [...checkMessages(messages as Message[]), ...checkTools(tools), ...checkFormat(response_format)]
}

function checkMessages(messages: Message[]): string[] {
  const faults: string[] = []
  /** The calls of the last assistant message that have no result yet. */
  let open: string[] = []
  const ids = new Set<string>()
  let before: unknown = 'start'
  for (const [index, message] of messages.entries()) {
    const fault = (text: string) => faults.push(`messages[${index}]: ${text}`)
    const { role } = message
    if (role !== 'tool' && open.length > 0) {
      fault(`calls without a result before it: ${open.join(', ')}`)
      open = []
    }
    if (!ROLES.includes(role as string)) fault(`unknown role ${JSON.stringify(role)}`)
    if (role === 'system' && index > 0) fault('a system message must be the first message')
    if (role === 'user' && !['start', 'system', 'assistant'].includes(before as string))
      fault(`a user message must not follow role '${String(before)}'`)
    if (role === 'assistant' && before !== 'user' && before !== 'tool')
      fault(`an assistant message must not follow role '${String(before)}'`)
    for (const text of checkContent(message)) fault(text)
    if (role === 'assistant') {
      const checked = checkCalls(message.tool_calls, ids)
      for (const text of checked.faults) fault(text)
      open = checked.ids
    } else if (message.tool_calls !== undefined) fault(`role '${String(role)}' must not have tool calls`)
    if (role === 'tool') {
      const id = message.tool_call_id as string
      if (open.includes(id)) open.splice(open.indexOf(id), 1)
      else fault(`the result of ${JSON.stringify(id)} answers no open call of the assistant message before it`)
    }
    before = role
  }
  if (open.length > 0) faults.push(`messages: calls without a result at the end: ${open.join(', ')}`)
  if (before !== 'user' && before !== 'tool')
    faults.push(`messages: the last role must be user or tool, got '${String(before)}'`)
  return faults
}

function checkContent({ role, content, tool_calls }: Message): string[] {
  if (role === 'assistant' && tool_calls !== undefined && (content === null || content === '')) return []
  if (typeof content === 'string') return content.trim() === '' ? ['the content must not be blank'] : []
  if (role !== 'user') return [`the content of role '${String(role)}' must be text`]
  if (!Array.isArray(content) || content.length === 0) return ['the content must be text or a list of parts']
  return content.flatMap((part: unknown, index) => {
    const fault = isObject(part) ? checkPart(part) : 'must be an object'
    return fault === undefined ? [] : [`content[${index}]: ${fault}`]
  })
}

function checkPart(part: Record<string, unknown>): string | undefined {
  const { type, text, image_url, input_audio } = part
  switch (type) {
    case 'text':
      return typeof text === 'string' && text.trim() !== '' ? undefined : 'the text must not be blank'
    case 'image_url': {
      const url = isObject(image_url) ? String(image_url['url']) : ''
      return IMAGE.test(url) ? undefined : `the picture must be PNG, JPEG, GIF or WebP, got '${url.slice(0, 40)}'`
    }
    case 'input_audio':
      return isObject(input_audio) && AUDIO_FORMATS.includes(input_audio['format'])
        ? undefined
        : 'the recording must be wav or mp3'
    default:
      return `unknown type ${JSON.stringify(type)}`
  }
}

/** @param seen the ids of the calls before, added to */
function checkCalls(calls: unknown, seen: Set<string>): { faults: string[]; ids: string[] } {
  if (calls === undefined) return { faults: [], ids: [] }
  if (!Array.isArray(calls) || calls.length === 0)
    return { faults: ['tool_calls must be left out when empty'], ids: [] }
  const faults: string[] = []
  const ids: string[] = []
  for (const [index, call] of (calls as Record<string, unknown>[]).entries()) {
    const fault = (text: string) => faults.push(`tool_calls[${index}]: ${text}`)
    const { id, type } = call
    const called = isObject(call['function']) ? call['function'] : {}
    if (typeof id !== 'string' || id === '') fault('the id must be text that is not empty')
    else {
      if (seen.has(id)) fault(`the id '${id}' is used twice`)
      seen.add(id)
      ids.push(id)
    }
    if (type !== 'function') fault(`the type must be 'function'`)
    if (!NAME.test(String(called['name']))) fault(`the name '${String(called['name'])}' is not allowed`)
    if (!isObject(parse(called['arguments']))) fault('the arguments must be the JSON text of an object')
  }
  return { faults, ids }
}

function checkTools(tools: unknown): string[] {
  if (tools === undefined) return []
  if (!Array.isArray(tools) || tools.length === 0) return ['tools: must be left out when empty']
  const names = new Set<unknown>()
  return tools.flatMap((tool: unknown, index) => {
    const offered = isObject(tool) && isObject(tool['function']) ? tool['function'] : {}
    const { name, parameters } = offered
    const faults: string[] = []
    if (!NAME.test(String(name))) faults.push(`the name '${String(name)}' is not allowed`)
    if (names.has(name)) faults.push(`the name '${String(name)}' is used twice`)
    names.add(name)
    if (!isObject(parameters) || parameters['type'] !== 'object') faults.push("the parameters must have type 'object'")
    return faults.map((fault) => `tools[${index}]: ${fault}`)
  })
}

function checkFormat(format: unknown): string[] {
  if (format === undefined) return []
  const { json_schema } = isObject(format) ? format : {}
  return isObject(json_schema) && isObject(json_schema['schema'])
    ? []
    : ['response_format: the schema must be an object']
}

function parse(text: unknown): unknown {
  try {
    return JSON.parse(String(text))
  } catch {
    return undefined
  }
}
