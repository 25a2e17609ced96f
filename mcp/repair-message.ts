// Brings responses of servers into the form that JSON-RPC asks for: an unusual response is still the answer to its request.
import { JSONRPCMessageSchema, ResultSchema } from '@modelcontextprotocol/sdk/types.js'
import { isObject } from '../contracts/json.ts'
import { shorten } from '../contracts/shorten.ts'

const INTERNAL_ERROR = -32_603

/**
 * Repairs one message, or each message of a batch. Requests, notifications and what is no message stay as they are.
 * @param id of the request that the message can only answer, where the transport tells
 */
export function repairMessage(message: unknown, id?: unknown): unknown {
  if (Array.isArray(message)) return message.map((each) => repairMessage(each, message.length === 1 ? id : undefined))
  if (!isObject(message) || 'method' in message || JSONRPCMessageSchema.safeParse(message).success) return message
  if (!('result' in message) && !('error' in message)) return message
  const answered = { jsonrpc: '2.0', id: isId(message['id']) ? message['id'] : id }
  const { result, error } = message
  const isError = error !== undefined && error !== null && error !== false
  return isError ? { ...answered, error: toError(error) } : { ...answered, result: toResult(result) }
}

/** A result that is no object counts as its content. */
function toResult(result: unknown): object {
  if (!isObject(result)) return { content: result }
  if (ResultSchema.safeParse(result).success) return result
  const { _meta, ...rest } = result
  return rest
}

function toError(error: unknown): { code: number; message: string; data?: unknown } {
  if (!isObject(error)) return { code: INTERNAL_ERROR, message: textOf(error) }
  const { code, message, data } = error
  return {
    code: Number.isSafeInteger(Number(code)) ? Number(code) : INTERNAL_ERROR,
    message: typeof message === 'string' ? message : textOf(message ?? error),
    ...(data !== undefined && { data }),
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : shorten(JSON.stringify(value))
}

function isId(value: unknown): boolean {
  return typeof value === 'string' || Number.isSafeInteger(value)
}
