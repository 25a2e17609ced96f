// Chat completions: a request becomes a turn that brings its own conversation, and its events become a reply in OpenAI's form.
import type { Static } from '@sinclair/typebox'
import { isFinal, type StoredEvent, type Usage } from '../../contracts/events.ts'
import { MuxiError, wrongField } from '../../contracts/failures.ts'
import { AUTO } from '../../contracts/routing.ts'
import type { ChatCompletionRequest } from '../../contracts/schemas/openai-chat.ts'
import type { CompletionSchema } from '../../contracts/schemas/openai-replies.ts'
import { turnUsage } from '../../db/columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { countConcurrent } from '../../db/queries/admission.ts'
import { findAgent } from '../../db/queries/agents.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { listToolCalls } from '../../db/queries/steps.ts'
import { findReply, findTurn, isFinalStatus } from '../../db/queries/turns.ts'
import type { Db, TurnsTable } from '../../db/schema.ts'
import { actingUser, unauthorized } from '../services/access.ts'
import { waitingOf } from '../services/approvals.ts'
import { checkBudgets } from '../services/budget-checks.ts'
import { acceptMessage, type AcceptedTurn } from '../services/chat.ts'
import type { ApiContext } from '../services/context.ts'
import { checkConcurrent } from '../services/message-checks.ts'
import { getTurnOrThrow, throwIfFailed, waitForReply } from '../services/turns.ts'
import { framesResponse } from '../sse.ts'
import { Chunks, DONE, errorChunk, toFinishReason, toUsage, type CompletionHead, type ReturnedCall } from './chunks.ts'
import { toOpenaiError } from './errors.ts'
import { noModel, secondsOf } from './models.ts'
import { fetchesPictures } from './read-media.ts'
import { actingAs, readRequest } from './read-request.ts'

const NOTHING = { input_tokens: 0, output_tokens: 0 }

/** What a reply needs of its request. */
interface Asked {
  model: string
  include_usage: boolean
}

interface Sent {
  principal: Principal
  /** Taken out when the message is accepted: Elysia keeps its context as long as the reply, and the body may be large. */
  body?: ChatCompletionRequest
  headers: { 'idempotency-key'?: string | undefined }
  request: Request
}

/** The reply as a whole, or streamed. @throws MuxiError */
export async function complete(context: ApiContext, sent: Sent): Promise<Response> {
  if (!sent.body!.stream) return Response.json(await whole(context, sent))
  return framesResponse(context, sent.principal, sent.request, async (signal) => {
    const asked = askedOf(sent)
    const { turn_id } = await accept(context, sent, signal)
    const ended = sent.headers['idempotency-key'] === undefined ? undefined : await findEnded(context, turn_id)
    return ended ? replayed(context, asked, ended) : streamed(context, asked, turn_id, signal)
  })
}

function askedOf({ body }: Sent): Asked {
  return { model: body!.model, include_usage: body!.stream_options?.include_usage === true }
}

async function accept(context: ApiContext, sent: Sent, signal: AbortSignal): Promise<AcceptedTurn> {
  const { principal, headers } = sent
  const body = sent.body!
  delete sent.body
  const { model } = body
  if (model !== AUTO && !(await findAgent(context.storage.db, model))) throw noModel(model)
  const idempotency_key = headers['idempotency-key']
  const { key_id } = principal
  const user_id = actingUser(principal, actingAs(body.user))
  // Before pictures are fetched for it. A repeated request gets its turn, whatever is left of the budget.
  if (idempotency_key === undefined) {
    await checkBudgets(context.storage.db, { key_id, user_id })
    if (fetchesPictures(body.messages))
      checkConcurrent(await countConcurrent(context.storage.db, { key_id, user_id }), context.limits)
  }
  const { request, carried, paths } = await readRequest(context, body, signal)
  const submission = { agent_id: model, request, carried, idempotency_key, route: `v1/${model}` }
  return acceptMessage(context, principal, submission).catch((error: unknown) => {
    throw placedIn(paths, error)
  })
}

/** A fault of a field of the message as that of the request's field. */
function placedIn(paths: ReadonlyMap<string, string>, error: unknown): unknown {
  const fields = (error instanceof MuxiError && error.details?.['fields']) || []
  const [field] = fields as { path: string; expected: string }[]
  const place = field && paths.get(field.path)
  return place === undefined ? error : wrongField('read the request', place, field!.expected)
}

async function whole(context: ApiContext, sent: Sent): Promise<Static<typeof CompletionSchema>> {
  const { principal, request } = sent
  const { model } = askedOf(sent)
  const { db } = context.storage
  const { revoked, close } = context.openStreams.watch(principal)
  const signal = AbortSignal.any([request.signal, context.closing, revoked])
  try {
    const { turn_id } = await accept(context, sent, signal)
    const ended = await waitForReply(context, turn_id, signal)
    if (revoked.aborted) throw unauthorized()
    const turn = await getTurnOrThrow(context, principal, turn_id)
    if (!ended) throw signal.aborted ? goesOn(turn_id) : parked(turn_id)
    throwIfFailed(turn)
    if (turn.status === 'cancelled') throw cancelled(turn_id)
    const calls = await returnedCalls(db, turn_id)
    const reply = await findReply(db, turn_id)
    const refused = turn.finish_reason === 'refusal'
    const message = {
      role: 'assistant' as const,
      content: refused || (reply === '' && calls.length > 0) ? null : reply,
      refusal: refused ? reply : null,
      ...(calls.length > 0 && { tool_calls: calls.map(toCall) }),
    }
    return {
      ...headOf(turn_id, turn.created_at, model, turn.agent_id),
      choices: [{ index: 0, message, logprobs: null, finish_reason: toFinishReason(turn.finish_reason) }],
      usage: toUsage(usageOf(turn)),
    }
  } finally {
    close()
  }
}

/** The turn, when it is a repeated request's and has ended. */
async function findEnded({ storage: { db } }: ApiContext, turn_id: string): Promise<TurnsTable | undefined> {
  const turn = await findTurn(db, turn_id)
  return turn && isFinalStatus(turn.status) ? turn : undefined
}

/** @returns frames: the stored reply of an ended turn, whose events may hold text that was withdrawn, in one chunk */
async function* replayed(
  { storage: { db } }: ApiContext,
  { model, include_usage }: Asked,
  turn: TurnsTable,
): AsyncGenerator<string> {
  try {
    throwIfFailed(turn)
    if (turn.status === 'cancelled') throw cancelled(turn.id)
    const { object: _, ...head } = headOf(turn.id, turn.created_at, model, turn.agent_id)
    const chunks = new Chunks(head, include_usage)
    const reply = await findReply(db, turn.id)
    const calls = await returnedCalls(db, turn.id)
    const shown = turn.finish_reason === 'refusal' ? chunks.refusal(reply) : chunks.text(reply)
    yield (
      chunks.role() +
        (reply === '' ? '' : shown) +
        calls.map((call, index) => chunks.call(call, index)).join('') +
        chunks.end(turn.finish_reason ?? undefined, usageOf(turn))
    )
  } catch (error) {
    if (!(error instanceof MuxiError)) throw error
    yield errorChunk(toOpenaiError(error.toBody(), turn.id))
  }
}

function usageOf({ id, usage }: TurnsTable): Usage {
  return parseColumn(turnUsage, usage, id) ?? NOTHING
}

/** @returns frames: the chunks of the reply, or an error chunk, then the end */
async function* streamed(
  context: ApiContext,
  { model, include_usage }: Asked,
  turn_id: string,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let chunks: Chunks | undefined
  let hasText = false
  for await (const events of context.storage.events.follow(turn_id, 0, signal)) {
    let frames = ''
    for (const event of events) {
      const frame = await frameOf(event)
      frames += frame
      if (frame.endsWith(DONE)) {
        yield frames
        return
      }
    }
    if (frames !== '') yield frames
  }
  yield errorChunk(toOpenaiError(goesOn(turn_id).toBody(), turn_id))

  async function frameOf(event: StoredEvent): Promise<string> {
    switch (event.type) {
      case 'message_start': {
        const { object: _, ...head } = headOf(turn_id, event.data.created_at, model, event.data.agent_id)
        chunks = new Chunks(head, include_usage)
        return chunks.role()
      }
      case 'content':
        return event.data.refusal ? refusal(event.data.content) : text(event.data.content)
      case 'content_reset':
        return hasText ? failed(withdrawn(turn_id)) : text(event.data.content)
      case 'approval_required':
        // A repeated request also reads those that are decided.
        return (await waitingOf(context.storage.db, turn_id)).length > 0 ? failed(parked(turn_id)) : ''
      case 'message_end': {
        const calls = await returnedCalls(context.storage.db, turn_id)
        const shown = calls.map((call, index) => chunks!.call(call, index))
        return shown.join('') + chunks!.end(event.data.finish_reason, event.data.usage)
      }
      case 'cancelled':
        return failed(cancelled(turn_id))
      case 'error':
        return errorChunk(toOpenaiError(event.data, turn_id))
      default:
        if (isFinal(event.type)) throw new Error(`Cannot stream turn '${turn_id}': it ended with '${event.type}'`)
        return ''
    }
  }

  function text(content: string): string {
    if (content === '') return ''
    hasText = true
    return chunks!.text(content)
  }

  function refusal(content: string): string {
    hasText = true
    return chunks!.refusal(content)
  }

  function failed(error: MuxiError): string {
    return errorChunk(toOpenaiError(error.toBody(), turn_id))
  }
}

function headOf(
  turn_id: string,
  created_at: string,
  asked: string,
  answered: string,
): CompletionHead & { object: 'chat.completion' } {
  const model = asked === AUTO ? answered : asked
  return { id: `chatcmpl-${turn_id}`, object: 'chat.completion', created: secondsOf(created_at), model }
}

/** The calls that the turn has ended with, for the caller to make. */
async function returnedCalls(db: Db, turnId: string): Promise<ReturnedCall[]> {
  const calls = (await listToolCalls(db, turnId)).filter(({ status }) => status === 'returned')
  return calls.map(({ name, arguments: text }, index) => ({ id: callerCallId(turnId, index), name, arguments: text }))
}

/** At most 40 characters, as OpenAI takes them. */
function callerCallId(turnId: string, index: number): string {
  return `call_${turnId.slice(turnId.indexOf('_') + 1)}_${index}`
}

function toCall({ id, name, arguments: text }: ReturnedCall) {
  return { id, type: 'function' as const, function: { name, arguments: text } }
}

function parked(turn_id: string): MuxiError {
  const how = `decide its approval under /api/v1/turns/${turn_id}/approvals, and read its reply at /api/v1/turns/${turn_id}`
  return new MuxiError('unprocessable', `The turn waits for a person: ${how}`, {
    details: { turn_id, openai_code: 'approval_required' },
  })
}

function withdrawn(turn_id: string): MuxiError {
  const why = 'A model call was interrupted and is made again, and what was streamed of it no longer holds'
  return new MuxiError('upstream_error', `${why}: the reply is at /api/v1/turns/${turn_id}`, {
    details: { turn_id, openai_code: 'content_reset' },
  })
}

function cancelled(turn_id: string): MuxiError {
  return new MuxiError('conflict', 'The turn was cancelled', { details: { turn_id, openai_code: 'cancelled' } })
}

function goesOn(turn_id: string): MuxiError {
  return new MuxiError(
    'unavailable',
    `The server goes down: the turn goes on, its reply is at /api/v1/turns/${turn_id}`,
    {
      details: { turn_id },
    },
  )
}
