// The running calls of a connection, and the questions that its server asks during them (elicitation).
import { AsyncLocalStorage } from 'node:async_hooks'
import type { ElicitRequest, ElicitResult } from '@modelcontextprotocol/sdk/types.js'
import type { Patience } from './patience.ts'

/** A question of a server (elicitation): a form, or an action at a URL. */
export type Question = { message: string; schema: Record<string, unknown> } | { message: string; url: string }

/** A running call. */
interface OpenCall {
  ask: (question: Question, signal: AbortSignal) => Promise<ElicitResult>
  /** The user that it is made for: a question that may belong to another user's call is refused. */
  owner: string
}

interface CallContext {
  owner: string
  /** Asks a user the server's question; the call's deadline is paused meanwhile. */
  onQuestion?: ((question: Question, signal: AbortSignal) => Promise<ElicitResult>) | undefined
  patience: Patience
}

/** The call whose response stream a message arrived in, if the transport separates them. */
const current = new AsyncLocalStorage<OpenCall>()
/** Concurrent questions in one call. */
const MAX_QUESTIONS = 10
const MAX_QUESTION = 4_000

export class OpenCalls {
  readonly #calls = new Set<OpenCall>()
  readonly #clean: (text: string) => string

  constructor(clean: (text: string) => string) {
    this.#clean = clean
  }

  /** Runs a call; its questions end with it. */
  async run<T>({ owner, onQuestion, patience }: CallContext, work: () => Promise<T>): Promise<T> {
    const over = new AbortController()
    let questions = 0
    const call: OpenCall = {
      owner,
      ask: async (question, asked) => {
        if (!onQuestion || questions === MAX_QUESTIONS) return { action: 'cancel' }
        questions += 1
        try {
          return await patience.pause(() => onQuestion(question, AbortSignal.any([asked, over.signal])))
        } finally {
          questions -= 1
        }
      },
    }
    this.#calls.add(call)
    try {
      return await current.run(call, work)
    } finally {
      this.#calls.delete(call)
      over.abort()
    }
  }

  /**
   * A question belongs to the call whose response stream it arrives in. Stdio has one stream: then all running calls must
   * have the same owner.
   */
  async elicit(params: ElicitRequest['params'], signal: AbortSignal): Promise<ElicitResult> {
    const [first, ...others] = this.#calls
    const call = current.getStore() ?? (others.every(({ owner }) => owner === first?.owner) ? first : undefined)
    const question = questionOf(params)
    if (!call || !this.#calls.has(call) || !question) return { action: 'cancel' }
    return call.ask({ ...question, message: this.#clean(question.message) }, signal)
  }
}

/** Undefined for questions that cannot be answered. */
function questionOf(params: ElicitRequest['params']): Question | undefined {
  const message = params.message.slice(0, MAX_QUESTION)
  if (params.mode === 'url') {
    const { protocol } = URL.canParse(params.url) ? new URL(params.url) : {}
    return protocol === 'https:' || protocol === 'http:' ? { message, url: params.url } : undefined
  }
  return { message, schema: params.requestedSchema }
}
