// Head starts: the process that accepts a message sends the first model request while Temporal starts the turn's workflow, and the
// first attempt of the model activity in the same process adopts it. docs/decisions/029 says what makes this safe.
import type { AgentConfig, AgentSource } from '../../contracts/schemas/agent.ts'
import { estimateTokens } from '../../contracts/tokens.ts'
import type { Needed } from '../../db/queries/budgets.ts'
import { deleteUsage, type UsageStart } from '../../db/queries/usage.ts'
import type { StartableTurn } from '../../db/queries/turn-queue.ts'
import { HEAD_START } from '../../db/queries/turns.ts'
import { StopRequested } from '../../db/stops.ts'
import { ProviderFailure } from '../../providers/failure.ts'
import type { Delta, GenerateResult } from '../../providers/provider.ts'
import { neededBy, reservationOf, settleUsage, spentBy, spentByFailure } from '../metered-call.ts'
import type { ActivityResources } from '../resources.ts'
import type { PrepareStep, StepPrompt } from './step-prompt.ts'
import { StepText } from './step-text.ts'

/** A request that no activity adopts within this time is aborted: another worker runs the turn. */
const ADOPTION_MS = 5_000
/** How long an activity waits for the start of its own turn to be confirmed. */
const CONFIRMATION_MS = 1_000
/**
 * Requests that may wait for adoption. Beyond that Temporal lags behind, and further head starts would be paid for twice. Fewer
 * than the worker has slots for eager starts, without which another worker may take the turn.
 */
const MAX_OPEN = 32
/** Characters kept in memory until the start is confirmed; reading from the model stops meanwhile. */
const MAX_TEXT = 65_536

type Resources = Pick<ActivityResources, 'db' | 'events' | 'models' | 'stops'>

/** A request that will be sent, for its usage row. */
export interface PlannedRequest extends Pick<
  UsageStart,
  'provider' | 'model' | 'reserved_tokens' | 'reserved_cost_usd'
> {
  needed: Needed
}

/** A request in progress, for the attempt that adopts it. */
export interface AdoptedRequest {
  prompt: StepPrompt
  usageId: string
  text: StepText
  result: Promise<GenerateResult>
  abort: (reason: unknown) => void
}

export class HeadStarts {
  readonly #resources: Resources
  readonly #prepare: PrepareStep
  readonly #open = new Map<string, HeadStart>()

  constructor(resources: Resources, prepare: PrepareStep) {
    this.#resources = resources
    this.#prepare = prepare
  }

  /**
   * The model that a turn's first request goes to, for the usage row that is inserted with the turn; undefined: no head start now.
   * @param content the message: the rest of the prompt is not known yet
   */
  plan(config: AgentConfig, source: AgentSource, content: string): PlannedRequest | undefined {
    // Which model is the fastest is decided once, when the workflow is started.
    if (this.#open.size >= MAX_OPEN || config.model?.strategy === 'fastest') return undefined
    const model = this.#resources.models.chainOf(config, source)[0]!
    const tokens = estimateTokens(config.system_message) + estimateTokens(content)
    const named = { provider: model.provider, model: model.model }
    return { ...named, ...reservationOf(model, tokens), needed: neededBy(model, tokens) }
  }

  /** Sends the first request of a turn that was just inserted. A failure is kept for the attempt that adopts the request. */
  begin(turn: StartableTurn, usageId: string): void {
    const stop = this.#resources.stops.register(turn.id)
    const timer = setTimeout(() => this.abort(turn.id, new Error('Not adopted in time')), ADOPTION_MS)
    const release = () => {
      clearTimeout(timer)
      stop.done()
      this.#open.delete(turn.id)
    }
    stop.signal.addEventListener('abort', () => this.abort(turn.id, stop.signal.reason), { once: true })
    this.#open.set(turn.id, new HeadStart(this.#resources, turn, usageId, this.#prepare, release))
  }

  /** The turn is accepted and the fence of the head start is set: from now on its text is written. */
  confirm(turnId: string): void {
    this.#open.get(turnId)?.confirm()
  }

  /** Hands the request over to the caller, once; undefined when there is none to continue. */
  async adopt(turnId: string): Promise<AdoptedRequest | undefined> {
    return this.#open.get(turnId)?.adopt()
  }

  /** Ends a request that will not be adopted, and records what it cost. */
  abort(turnId: string, reason: unknown = new StopRequested('Not accepted')): void {
    this.#open.get(turnId)?.abandon(reason)
  }

  /** Aborts all requests: the process stops. */
  close(): void {
    for (const turnId of this.#open.keys()) this.abort(turnId)
  }
}

class HeadStart {
  readonly #resources: Resources
  readonly #usageId: string
  readonly #release: () => void
  readonly #controller = new AbortController()
  readonly #confirmed = Promise.withResolvers<boolean>()
  readonly #text: StepText
  #isAdopted = false
  /** Resolves once the request is sent; undefined when it was not. */
  readonly #sent: Promise<{ prompt: StepPrompt; result: Promise<GenerateResult> } | undefined>

  constructor(resources: Resources, turn: StartableTurn, usageId: string, prepare: PrepareStep, release: () => void) {
    this.#resources = resources
    this.#usageId = usageId
    this.#release = release
    this.#text = new StepText(resources.events, turn.id, HEAD_START, 1, '')
    // Another attempt has begun, or the database is unavailable.
    this.#text.failed.addEventListener('abort', () => this.abandon(this.#text.failed.reason), { once: true })
    this.#sent = this.#send(turn, prepare).catch(() => undefined)
  }

  confirm(): void {
    this.#confirmed.resolve(true)
  }

  async adopt(): Promise<AdoptedRequest | undefined> {
    const timer = setTimeout(() => this.#confirmed.resolve(false), CONFIRMATION_MS)
    const isConfirmed = await this.#confirmed.promise
    clearTimeout(timer)
    if (!isConfirmed) this.abandon(new Error('Not confirmed in time'))
    const sent = await this.#sent
    if (!sent || this.#controller.signal.aborted) {
      if (isConfirmed) this.abandon(new Error('Not sent'))
      return undefined
    }
    this.#isAdopted = true
    this.#release()
    const abort = (reason: unknown) => this.#controller.abort(reason)
    return { ...sent, usageId: this.#usageId, text: this.#text, abort }
  }

  abandon(reason: unknown): void {
    if (this.#isAdopted || this.#controller.signal.aborted) return
    this.#release()
    this.#controller.abort(reason)
    this.#confirmed.resolve(false)
    void this.#settle().catch(() => undefined)
  }

  async #send({ id: turn_id, agent_id, agent_version }: StartableTurn, prepare: PrepareStep) {
    const { signal } = this.#controller
    const prompt = await prepare({ turn_id, agent_id, agent_version, step: 1, model: 0 }, signal)
    if (!prompt.request || signal.aborted) return undefined
    const result = prompt.provider.generate(prompt.request, this.#writing(), signal)
    // Handled by the attempt that adopts it, or not at all.
    result.catch(() => undefined)
    return { prompt, result }
  }

  /** Takes the text: in memory until the start is confirmed, to the event log from then on. */
  #writing(): (delta: Delta) => Promise<void> {
    const kept = { text: '', refusal: '' }
    let isConfirmed = false
    const writing = this.#confirmed.promise.then(async (confirmed) => {
      if (!confirmed) return
      isConfirmed = true
      // Both are taken before the first is awaited: the text may be flushed from now on.
      await Promise.all([this.#text.write(kept.text), this.#text.write(kept.refusal, 'refusal')])
    })
    return async ({ type, text }) => {
      if (type !== 'text' && type !== 'refusal') return
      if (isConfirmed) return this.#text.write(text, type)
      kept[type] += text
      if (kept.text.length + kept.refusal.length > MAX_TEXT) await writing
    }
  }

  /** A sent request is billed; the row of an unsent one is removed. */
  async #settle(): Promise<void> {
    const { db } = this.#resources
    const sent = await this.#sent
    if (!sent) return deleteUsage(db, this.#usageId)
    const ended = await sent.result.catch((error: unknown) => (error instanceof ProviderFailure ? error : undefined))
    const { model, input_tokens } = sent.prompt
    const estimate = { input_tokens, output_tokens: estimateTokens(this.#text.content) }
    const isFailed = !ended || ended instanceof ProviderFailure
    const spent = isFailed ? spentByFailure(model, ended, estimate) : spentBy(model, ended.usage, estimate)
    await settleUsage(db, this.#usageId, spent)
  }
}
