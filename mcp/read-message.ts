// A message of an MCP server from its text. Numbers of a structured result keep their digits.
import { JSONRPCMessageSchema, type JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { isObject } from '../contracts/json.ts'
import { parseExact } from '../contracts/exact-json.ts'

/** @throws SyntaxError, or the error of the schema */
export function readMessage(text: string): JSONRPCMessage {
  const message = JSONRPCMessageSchema.parse(JSON.parse(text))
  if (!('result' in message) || message.result['structuredContent'] === undefined) return message
  const exact = parseExact(text)
  // Everything else is read by the protocol's own rules, for which a number is a number.
  if (isObject(exact) && isObject(exact['result']))
    message.result['structuredContent'] = exact['result']['structuredContent']
  return message
}
