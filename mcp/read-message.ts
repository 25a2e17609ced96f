// The messages of an MCP server from a line of text. Numbers of a structured result keep their digits.
import { JSONRPCMessageSchema, type JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { isObject } from '../contracts/json.ts'
import { parseExact } from '../contracts/exact-json.ts'
import { repairMessage } from './repair-message.ts'

/** One message, or those of a batch. @throws SyntaxError, or the error of the schema */
export function readMessages(text: string): JSONRPCMessage[] {
  const messages = [repairMessage(JSON.parse(text))].flat().map((message) => JSONRPCMessageSchema.parse(message))
  const hasStructure = messages.some((message) => 'result' in message && 'structuredContent' in message.result)
  if (!hasStructure) return messages
  const exact = [parseExact(text)].flat()
  for (const [index, message] of messages.entries()) {
    // Everything else is read by the protocol's own rules, for which a number is a number.
    const written = exact[index]
    if (
      'result' in message &&
      isObject(written) &&
      isObject(written['result']) &&
      'structuredContent' in message.result
    )
      message.result['structuredContent'] = written['result']['structuredContent']
  }
  return messages
}
