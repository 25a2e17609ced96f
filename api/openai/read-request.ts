// A chat completion's request as a message that brings its whole conversation.
import { Value } from '@sinclair/typebox/value'
import { MuxiError, wrongField } from '../../contracts/failures.ts'
import type { Reasoning } from '../../contracts/schemas/agent.ts'
import type { CarriedMessage, CarriedRequest } from '../../contracts/schemas/carried-request.ts'
import { UserIdSchema, type ChatRequest } from '../../contracts/schemas/chat.ts'
import type { ChatCompletionMessage, ChatCompletionRequest } from '../../contracts/schemas/openai-chat.ts'
import type { ApiContext } from '../services/context.ts'
import { MediaReader } from './read-media.ts'

const READING = 'read the request'

type Tools = ChatCompletionRequest['tools']
type UserContent = Extract<ChatCompletionMessage, { role: 'user' }>['content']

/** @returns also the places in the request of what the message has elsewhere @throws MuxiError bad_request */
export async function readRequest(
  context: Pick<ApiContext, 'mcp' | 'limits'>,
  body: ChatCompletionRequest,
  signal: AbortSignal,
): Promise<{ request: ChatRequest; carried: CarriedRequest; paths: ReadonlyMap<string, string> }> {
  refuseUnsupported(body)
  checkConversation(body.messages)
  checkChoice(body)
  const user_id = actingAs(body.user)
  const media = new MediaReader(context, body.messages)
  const messages: CarriedMessage[] = []
  for (const [index, message] of body.messages.entries()) {
    const read = await readMessage(message, media, `messages.${index}.content`, signal)
    if (read) messages.push(read)
  }
  const asked = body.messages.findLast(({ role }) => role === 'user')
  const content = asked?.role === 'user' ? textOf(asked.content) : ''
  const response_schema = schemaOf(body.response_format)
  const choice = choiceOf(body.tool_choice)
  const { temperature, top_p, seed, frequency_penalty, presence_penalty, reasoning_effort } = body
  const stop = body.stop == null ? [] : [body.stop].flat()
  const max_output_tokens = body.max_completion_tokens ?? body.max_tokens
  return {
    paths: media.paths.set('response_schema', 'response_format.json_schema.schema'),
    request: {
      content,
      ...(user_id !== undefined && { user_id }),
      ...(media.attachments.length > 0 && { attachments: media.attachments }),
      ...(response_schema && { response_schema }),
    },
    carried: {
      instructions: body.messages.flatMap(instructionOf).join('\n\n'),
      messages,
      tools: toolsOf(body.tools),
      ...(choice !== undefined && { tool_choice: choice }),
      ...(body.parallel_tool_calls === false && { single_call: true }),
      ...(temperature != null && { temperature }),
      ...(top_p != null && { top_p }),
      ...(max_output_tokens != null && { max_output_tokens }),
      ...(stop.length > 0 && { stop }),
      ...(seed != null && { seed }),
      // Zero is what is meant by leaving them out, and some models refuse them.
      ...(frequency_penalty && { frequency_penalty }),
      ...(presence_penalty && { presence_penalty }),
      ...(reasoning_effort != null && { reasoning: REASONING[reasoning_effort] }),
    },
  }
}

/** Each effort as the nearest level that every vendor has. */
const REASONING: Record<NonNullable<ChatCompletionRequest['reasoning_effort']>, Reasoning> = {
  none: 'none',
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'high',
  max: 'high',
}

/** Fields of OpenAI's that change the form of the reply: without them its clients would not find what they asked for. */
const UNSUPPORTED = {
  logprobs: 'left out or false: probabilities are not given',
  functions: "left out: 'tools' take their place",
  function_call: "left out: 'tool_choice' takes its place",
}

/** @throws MuxiError bad_request */
function refuseUnsupported(body: ChatCompletionRequest): void {
  const sent = body as ChatCompletionRequest & Record<string, unknown>
  for (const [field, expected] of Object.entries(UNSUPPORTED)) {
    if (sent[field] == null || sent[field] === false) continue
    const { message, details } = wrongField(READING, field, expected)
    throw new MuxiError('bad_request', message, { details: { ...details, openai_code: 'unsupported_parameter' } })
  }
}

/** The user that a request names. @throws MuxiError bad_request */
export function actingAs(user: string | null | undefined): string | undefined {
  if (user == null) return undefined
  if (!Value.Check(UserIdSchema, user)) throw wrongField(READING, 'user', UserIdSchema.description ?? '')
  return user
}

function instructionOf(message: ChatCompletionMessage): string[] {
  if (message.role !== 'system' && message.role !== 'developer') return []
  return [textOf(message.content)].filter((text) => text !== '')
}

async function readMessage(
  message: ChatCompletionMessage,
  media: MediaReader,
  path: string,
  signal: AbortSignal,
): Promise<CarriedMessage | undefined> {
  switch (message.role) {
    case 'system':
    case 'developer':
      return undefined
    case 'user':
      return { role: 'user', parts: await media.partsOf(message.content, path, signal) }
    case 'assistant':
      return {
        role: 'assistant',
        content: textOf(message.content ?? message.refusal ?? ''),
        calls: (message.tool_calls ?? []).map(({ id, function: { name, arguments: text } }) => ({
          id,
          name,
          arguments: text,
        })),
      }
    case 'tool':
      return { role: 'tool', call_id: message.tool_call_id, content: textOf(message.content) }
  }
}

function textOf(content: string | readonly { type: string; text?: string; refusal?: string }[] | UserContent): string {
  if (typeof content === 'string') return content
  const parts = content as readonly { type: string; text?: string; refusal?: string }[]
  return parts
    .map(({ text, refusal }) => text ?? refusal ?? '')
    .filter((text) => text !== '')
    .join('\n')
}

/** Results follow their calls, each once. @throws MuxiError bad_request */
function checkConversation(messages: readonly ChatCompletionMessage[]): void {
  let open = new Set<string>()
  for (const [index, message] of messages.entries()) {
    if (message.role === 'tool') {
      if (!open.delete(message.tool_call_id))
        throw wrongField(
          READING,
          `messages.${index}.tool_call_id`,
          "the id of a call in 'tool_calls' of the assistant's message before it",
        )
      continue
    }
    const [unanswered] = open
    if (unanswered !== undefined)
      throw wrongField(READING, `messages.${index}`, `the result of the call '${unanswered}', of role 'tool'`)
    open = new Set(message.role === 'assistant' ? (message.tool_calls ?? []).map(({ id }) => id) : [])
  }
  const [unanswered] = open
  if (unanswered !== undefined)
    throw wrongField(READING, 'messages', `followed by the result of the call '${unanswered}', of role 'tool'`)
}

/** @throws MuxiError bad_request */
function checkChoice({ tools, tool_choice }: ChatCompletionRequest): void {
  const names = (tools ?? []).map((tool) => tool.function.name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw wrongField(READING, 'tools', `functions of different names, got '${twice}' twice`)
  if (tool_choice === 'required' && names.length === 0)
    throw wrongField(READING, 'tool_choice', "left out without 'tools'")
  if (typeof tool_choice === 'object' && tool_choice && !names.includes(tool_choice.function.name))
    throw wrongField(READING, 'tool_choice', "a function of 'tools'")
}

function toolsOf(tools: Tools): CarriedRequest['tools'] {
  return (tools ?? []).map(({ function: { name, description, parameters, strict } }) => ({
    name,
    description: description ?? '',
    parameters: parameters ?? { type: 'object', properties: {} },
    ...(strict != null && { strict }),
  }))
}

function choiceOf(choice: ChatCompletionRequest['tool_choice']): CarriedRequest['tool_choice'] {
  if (choice == null || choice === 'auto') return undefined
  return typeof choice === 'string' ? choice : { name: choice.function.name }
}

function schemaOf(format: ChatCompletionRequest['response_format']): Record<string, unknown> | undefined {
  if (format?.type === 'json_schema') return format.json_schema.schema ?? { type: 'object' }
  return format?.type === 'json_object' ? { type: 'object' } : undefined
}
