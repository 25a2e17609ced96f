// One attempt at one step's model call: streams the text to the event log and stores the whole result once.
import { activityInfo, cancellationDetails, cancellationSignal, log } from '@temporalio/activity'
import type { ModelCallInput, ModelCallResult } from '../contracts/engine.ts'
import { RefusedError, TextWriter, type EventLog } from '../db/event-log.ts'
import { addEvents, holdsFence, raiseFence, type Writer } from '../db/event-rows.ts'
import { getAgentSecrets, getAgentVersion, oncePerVersion } from '../db/queries/agents.ts'
import { countFailed, endLogEntry, startLogEntry, type LogEnd } from '../db/queries/log.ts'
import { findStep, insertStep, toPlannedCall } from '../db/queries/steps.ts'
import { readStepInput } from '../db/queries/turn-input.ts'
import { lockTurn } from '../db/queries/turns.ts'
import { completeUsage, estimateTokens, insertUsage } from '../db/queries/usage.ts'
import type { Db } from '../db/schema.ts'
import { isDatabaseAway, untilDatabaseIsBack } from '../db/storage.ts'
import { StopRequested } from '../db/stops.ts'
import { ProviderFailure } from '../providers/failure.ts'
import { costOf } from '../providers/prices.ts'
import type { GenerateResult } from '../providers/provider.ts'
import type { ChainModel } from '../providers/registry.ts'
import { overtaken, toModelFailure } from './failures.ts'
import { startBeating } from './heartbeat.ts'
import type { ActivityResources } from './resources.ts'
import { offerTools, type OfferedTool } from './tools.ts'
import { buildPrompt, STEP_SEPARATOR, type Prompt } from './prompt.ts'

/** More calls than this in one step are not run; the model is told. Their names must fit into a payload of 2 kB. */
const MAX_CALLS = 16
/** Attempts at the next model of a chain count on from here, so that they fence off those at the one before. */
const ATTEMPTS_A_MODEL = 1_000

type Resources = Pick<ActivityResources, 'db' | 'events' | 'blobs' | 'box' | 'stops' | 'models' | 'tools'>

export function modelCallActivities(resources: Resources) {
  const { db, events, blobs, box, stops, models, tools } = resources
  const versionOf = oncePerVersion(async (id, version) => {
    const { config, source } = await getAgentVersion(db, id, version)
    return { config, source, secrets: await getAgentSecrets(db, box, id, version) }
  })
  return {
    async callModel(input: ModelCallInput): Promise<ModelCallResult> {
      const { turn_id, step } = input
      const stopBeating = startBeating()
      // Before the row is read: whoever asks for a stop meanwhile is seen here or there.
      const stop = stops.register(turn_id)
      try {
        const given = await readStepInput(db, turn_id, step)
        const stored = given.answered ? await findStep(db, turn_id, step) : undefined
        if (stored) return toResult(input, stored.calls, stored)
        const { turn } = given
        if (turn.cancel_requested_at !== null) return stoppedResult(input)
        const { config, source, secrets } = await versionOf(turn.agent_id, turn.agent_version)
        const model = models.chainOf(config, source)[input.model]!
        const provider = models.open(model, secrets[model.key_path])
        const prompt = await buildPrompt(db, blobs, given, step, config, model)
        const own = tools.filter(({ needs }) => needs !== 'documents' || given.searchable)
        const offered = await offerTools(db, turn.agent_id, own)
        const attempt = await beginAttempt(db, events, input, model, prompt)
        if ('stored' in attempt) return attempt.stored
        const text = new StepText(events, turn_id, attempt.writer, step, prompt.shown)
        const signal = AbortSignal.any([stop.signal, cancellationSignal(), text.failed])
        try {
          const result = await provider.generate(
            {
              model: model.model,
              messages: prompt.messages,
              tools: offered.map(({ name, description, parameters }) => ({ name, description, parameters })),
              passages: prompt.passages,
              temperature: model.temperature,
              top_p: model.top_p,
              ...(turn.response_schema !== null && { response_schema: JSON.parse(turn.response_schema) }),
            },
            (piece) => text.write(piece),
            signal,
          )
          await text.flush()
          return await untilDatabaseIsBack(
            () => completeAttempt(db, attempt, input, model, prompt, text.content, result, offered),
            cancellationSignal(),
          )
        } catch (error) {
          await text.flush().catch(() => undefined)
          // What a provider throws when its signal aborts is its own; the reason is ours.
          const reason = signal.aborted ? (signal.reason as unknown) : error
          const failedBefore = await closeAttempt(db, attempt, model, prompt, text.content, reason)
          if (reason instanceof StopRequested) return stoppedResult(input)
          throw toActivityFailure(reason, model, failedBefore)
        }
      } finally {
        stop.done()
        stopBeating()
      }
    },
  }
}

function stoppedResult({ turn_id, step }: ModelCallInput): ModelCallResult {
  return { turn_id, step, finish: 'stopped', calls: [], input_tokens: 0, output_tokens: 0 }
}

interface Attempt {
  writer: Writer
  usageId: string
  logId: string
  startedAt: number
}

/**
 * Fences off older attempts, withdraws the text they have shown, and notes what is about to be sent: together or not at all.
 * An older attempt that has stored its result meanwhile has made this one needless.
 */
async function beginAttempt(
  db: Db,
  events: EventLog,
  input: ModelCallInput,
  model: ChainModel,
  prompt: Prompt,
): Promise<Attempt | { stored: ModelCallResult }> {
  const { turn_id, step } = input
  const { attempt, activityId } = activityInfo()
  const writer = { scope: `step_${step}`, fence: input.model * ATTEMPTS_A_MODEL + attempt }
  const begun = await db.transaction().execute(async (tx) => {
    await lockTurn(tx, turn_id)
    // The very first attempt has no older one; were it delivered twice, the fence would refuse it.
    const stored = writer.fence > 1 ? await findStep(tx, turn_id, step) : undefined
    if (stored) return { stored: toResult(input, stored.calls, stored) }
    const raised = await raiseFence(tx, turn_id, writer)
    if (!raised) throw overtaken()
    const reset = { type: 'content_reset' as const, data: { step, reason: 'retry', content: prompt.shown } }
    const added = raised.hadText ? await addEvents(tx, turn_id, writer, [{ event: reset }]) : { events: [] }
    if ('refused' in added) throw overtaken()
    const usageId = await insertUsage(tx, {
      turn_id,
      step,
      fence: writer.fence,
      provider: model.provider,
      model: model.model,
      input_tokens: estimatePrompt(prompt),
    })
    const logId = await startLogEntry(tx, {
      turn_id,
      kind: 'model_call',
      name: model.model,
      workflow_id: workflowIdOfActivity(),
      activity_id: activityId,
      attempt,
      input: { provider: model.provider, step, messages: prompt.messages.length },
    })
    return { usageId, logId, events: added.events }
  })
  if (begun.stored) return { stored: begun.stored }
  events.publish(turn_id, begun.events)
  return { writer, usageId: begun.usageId, logId: begun.logId, startedAt: performance.now() }
}

async function completeAttempt(
  db: Db,
  attempt: Attempt,
  input: ModelCallInput,
  model: ChainModel,
  prompt: Prompt,
  content: string,
  result: GenerateResult,
  tools: readonly OfferedTool[],
): Promise<ModelCallResult> {
  const { turn_id, step } = input
  const usage = result.usage ?? { input_tokens: estimatePrompt(prompt), output_tokens: estimateTokens(content) }
  const cost_usd = costOf(model.model, usage.input_tokens, usage.output_tokens)
  const calls = result.calls.slice(0, MAX_CALLS).map((call, index) => {
    const { server = '', tool } = tools.find(({ name }) => name === call.name) ?? {}
    return {
      call_id: `call_${step}_${index + 1}`,
      name: call.name.slice(0, 64),
      server,
      tool,
      provider_call_id: call.id,
      arguments: call.arguments,
    }
  })
  await db.transaction().execute(async (tx) => {
    await lockTurn(tx, turn_id)
    // A newer attempt tells the text again: what it tells is what is kept.
    if (!(await holdsFence(tx, turn_id, attempt.writer))) throw new RefusedError(turn_id, 'fenced')
    await insertStep(tx, { turn_id, step, content, provider: model.provider, model: model.model, ...usage }, calls)
    await completeUsage(tx, attempt.usageId, {
      ...usage,
      ...(cost_usd !== undefined && { cost_usd }),
      estimated: !result.usage,
    })
    await endLogEntry(tx, attempt.logId, {
      status: 'completed',
      duration_ms: performance.now() - attempt.startedAt,
      output: { content, calls: calls.map(({ call_id, name }) => ({ call_id, name })) },
      usage,
    })
  })
  return toResult(input, calls.map(toPlannedCall), usage)
}

/** Settles the rows of an attempt that did not finish. @returns how many attempts had failed before */
async function closeAttempt(
  db: Db,
  attempt: Attempt,
  model: ChainModel,
  prompt: Prompt,
  content: string,
  reason: unknown,
): Promise<number> {
  const input_tokens = estimatePrompt(prompt)
  const output_tokens = estimateTokens(content)
  const cost_usd = costOf(model.model, input_tokens, output_tokens)
  return db.transaction().execute(async (tx) => {
    const failedBefore = await countFailed(tx, workflowIdOfActivity(), activityInfo().activityId)
    await completeUsage(tx, attempt.usageId, {
      input_tokens,
      output_tokens,
      ...(cost_usd !== undefined && { cost_usd }),
      estimated: true,
    })
    await endLogEntry(tx, attempt.logId, {
      status: statusOf(reason),
      duration_ms: performance.now() - attempt.startedAt,
      output: { content },
      error: describe(reason),
    })
    return failedBefore
  })
}

function toActivityFailure(reason: unknown, model: ChainModel, failedBefore: number): unknown {
  if (reason instanceof RefusedError) return overtaken()
  if (!(reason instanceof ProviderFailure)) return reason
  log.warn('a model call failed', { provider: reason.provider, model: model.model, status: reason.status })
  return toModelFailure(reason, model, failedBefore)
}

/** A worker that shuts down interrupts its calls; another one will begin them again. */
function statusOf(reason: unknown): LogEnd['status'] {
  if (reason instanceof StopRequested) return 'cancelled'
  // Counted as failures are only those of the model.
  if (reason instanceof RefusedError || isDatabaseAway(reason)) return 'interrupted'
  if (!cancellationSignal().aborted) return 'failed'
  return cancellationDetails()?.workerShutdown ? 'interrupted' : 'cancelled'
}

function workflowIdOfActivity(): string {
  return activityInfo().workflowExecution?.workflowId ?? ''
}

function describe(error: unknown) {
  if (!(error instanceof ProviderFailure)) return { message: error instanceof Error ? error.name : 'unknown' }
  const { message, provider, status, requestId: request_id, kind } = error
  return { message, provider, status, request_id, kind }
}

function estimatePrompt(prompt: Prompt): number {
  return prompt.messages.reduce((sum, message) => sum + estimateTokens(message.content), 0)
}

function toResult(
  { turn_id, step }: ModelCallInput,
  calls: ModelCallResult['calls'],
  usage: { input_tokens: number; output_tokens: number },
): ModelCallResult {
  return {
    turn_id,
    step,
    finish: calls.length > 0 ? 'tool_calls' : 'answer',
    calls,
    input_tokens: usage.input_tokens,
    output_tokens: usage.output_tokens,
  }
}

/** The text of a step as the model tells it, set off from what earlier steps have shown. */
class StepText {
  content = ''
  readonly #writer: TextWriter
  readonly #shownBefore: boolean

  constructor(events: EventLog, turnId: string, writer: Writer, step: number, shown: string) {
    this.#writer = new TextWriter(events, turnId, writer, step)
    this.#shownBefore = shown !== ''
  }

  get failed(): AbortSignal {
    return this.#writer.failed
  }

  async write(piece: string): Promise<void> {
    if (this.content === '' && this.#shownBefore) piece = STEP_SEPARATOR + piece
    this.content += piece
    await this.#writer.write(piece)
  }

  flush(): Promise<void> {
    return this.#writer.flush()
  }
}
