// Why a request to an MCP server failed, from the errors of the client, its transports and the network.
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js'
import { McpFailure } from './failure.ts'
import type { McpTarget } from './target.ts'

export interface ExplainOptions {
  /** Of a server by URL. */
  address: string | undefined
  /** Why the connection is over; undefined while it is not. */
  ended: string | undefined
  /** Removes credentials. */
  clean: (text: string) => string
}

/** Longest data of an error that a server answered with, in characters. */
const MAX_DATA = 2_000
/** From this length on a part of an address that has digits may be a credential. */
const MIN_KEY = 16

export function explain(error: unknown, { address, ended, clean }: ExplainOptions): McpFailure {
  if (error instanceof McpFailure) return error
  const message = clean(error instanceof Error ? error.message : String(error))
  if (error instanceof McpError) {
    // Servers use this code for failures of their own.
    if (error.code === ErrorCode.ConnectionClosed && ended !== undefined) return new McpFailure('lost', clean(ended))
    return new McpFailure('answered', message.replace(/^MCP error -?\d+: /, '') + clean(dataOf(error)))
  }
  const at = address === undefined ? '' : ` at ${clean(address)}`
  const status = statusOf(error)
  if (status !== undefined) {
    const kind = status >= 500 ? 'lost' : 'answered'
    return new McpFailure(kind, `it answered ${status} on HTTP${at}`, { status })
  }
  const code = causeOf(error)
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new McpFailure('unsent', `it cannot be reached${at} (${code})`)
  if (error instanceof TypeError && error.cause instanceof Error)
    return new McpFailure('lost', clean(`the connection broke${at} (${code ?? error.cause.message})`))
  return new McpFailure('lost', message)
}

/** The address without what may be a credential. */
export function addressOf(target: McpTarget): string | undefined {
  if (!('url' in target)) return undefined
  const { origin, pathname } = new URL(target.url)
  const isKey = (part: string) => part.length >= MIN_KEY && /\d/.test(part)
  return (
    origin +
    pathname
      .split('/')
      .map((part) => (isKey(part) ? '…' : part))
      .join('/')
  )
}

function dataOf({ data }: McpError): string {
  if (data === undefined || data === null) return ''
  const text = typeof data === 'string' ? data : JSON.stringify(data)
  return ` (${text.length > MAX_DATA ? `${text.slice(0, MAX_DATA)}…` : text})`
}

function statusOf(error: unknown): number | undefined {
  const { code } = error as { code?: unknown }
  if (typeof code === 'number' && code >= 400 && code < 600) return code
  const told = /\(HTTP (\d{3})\)/.exec((error as Error).message ?? '')
  return told ? Number(told[1]) : undefined
}

/** The system's error code, which `fetch` nests in causes. */
function causeOf(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException
    if (typeof code === 'string') return code
    if (at instanceof AggregateError && at.errors[0] instanceof Error) at.cause ??= at.errors[0]
  }
  return undefined
}
