// Head starts: the process that accepts a message sends the first model request while Temporal is being told of the turn, and the
// first attempt of the model activity in the same process adopts it. docs/decisions/029 says what makes this safe.
import type { AgentConfig } from '../contracts/schemas/agent.ts'
import { completeUsage, deleteUsage, estimateTokens } from '../db/queries/usage.ts'
import type { StartableTurn } from '../db/queries/turn-queue.ts'
import { StopRequested } from '../db/stops.ts'
import type { GenerateResult } from '../providers/provider.ts'
import type { ActivityResources } from './resources.ts'
import type { PrepareStep, StepPrompt } from './step-prompt.ts'

/** A request that no activity adopts within this time is aborted: another worker has the turn. */
const ADOPTION_MS = 5_000
/** Characters kept in memory until adoption; the model is read no further meanwhile. */
const MAX_TEXT = 65_536
/** At most so many at once: fewer than the worker has slots for eager starts, without which another worker may take the turn. */
const MAX_OPEN = 64

/** The request of a head start, for the attempt that adopts it. */
export interface AdoptedRequest {
  prompt: StepPrompt
  usageId: string
  /** Passes the text so far and the rest to `onText`; resolves or fails as the request does. */
  read(onText: (text: string) => Promise<void>, signal: AbortSignal): Promise<GenerateResult>
  /** Ends a request that is not read; otherwise does nothing. */
  abandon(): void
}

export class HeadStarts {
  readonly #resources: Pick<ActivityResources, 'db' | 'models' | 'stops'>
  readonly #prepare: PrepareStep
  readonly #open = new Map<string, HeadStart>()

  constructor(resources: Pick<ActivityResources, 'db' | 'models' | 'stops'>, prepare: PrepareStep) {
    this.#resources = resources
    this.#prepare = prepare
  }

  /** Whether another one may begin. */
  get hasRoom(): boolean {
    return this.#open.size < MAX_OPEN
  }

  /** The model that a turn's first request goes to, for the usage row that is inserted with the turn. */
  modelOf(config: AgentConfig): { provider: string; model: string } {
    const { provider, model } = this.#resources.models.chainOf(config)[0]!
    return { provider, model }
  }

  /** Sends the first request of a turn that was just inserted. Failures are kept for the attempt that adopts them. */
  begin(turn: StartableTurn, usageId: string): void {
    const { stops } = this.#resources
    const start = new HeadStart(turn, usageId, this.#prepare)
    const stop = stops.register(turn.id)
    stop.signal.addEventListener('abort', () => this.abort(turn.id, stop.signal.reason), { once: true })
    const timer = setTimeout(() => this.abort(turn.id, new Error('Not adopted in time')), ADOPTION_MS)
    start.released = () => {
      clearTimeout(timer)
      stop.done()
      this.#open.delete(turn.id)
    }
    this.#open.set(turn.id, start)
    start.run()
  }

  /** Hands the request over to the caller, once; undefined when there is none. */
  async adopt(turnId: string): Promise<AdoptedRequest | undefined> {
    const start = this.#open.get(turnId)
    if (!start) return undefined
    start.released()
    const request = await start.handOver(this.#resources.db)
    if (!request) await deleteUsage(this.#resources.db, start.usageId)
    return request
  }

  /** Ends a request that will not be adopted, and records what it cost. */
  abort(turnId: string, reason: unknown = new StopRequested('Not accepted')): void {
    const start = this.#open.get(turnId)
    if (!start) return
    start.released()
    start.abandon(this.#resources.db, reason)
  }

  /** Aborts all of them: the process stops. */
  close(): void {
    for (const turnId of this.#open.keys()) this.abort(turnId)
  }
}

class HeadStart {
  released: () => void = () => undefined
  readonly #turn: StartableTurn
  readonly usageId: string
  readonly #prepare: PrepareStep
  readonly #controller = new AbortController()
  #prepared: Promise<StepPrompt | undefined> = Promise.resolve(undefined)
  #result: Promise<GenerateResult> | undefined
  #text = ''
  #isRead = false
  /** Where text goes after adoption. */
  #sink: ((text: string) => Promise<void>) | undefined
  readonly #adopted = Promise.withResolvers<void>()

  constructor(turn: StartableTurn, usageId: string, prepare: PrepareStep) {
    this.#turn = turn
    this.usageId = usageId
    this.#prepare = prepare
  }

  run(): void {
    const { id: turn_id, agent_id, agent_version } = this.#turn
    const { signal } = this.#controller
    this.#prepared = this.#prepare({ turn_id, agent_id, agent_version, step: 1, model: 0 }, signal).then((prompt) => {
      if (!prompt.request || signal.aborted) return undefined
      this.#result = prompt.provider.generate(prompt.request, (text) => this.#take(text), signal)
      // Looked at by the attempt that adopts it, or by nothing.
      this.#result.catch(() => undefined)
      return prompt
    })
    this.#prepared.catch(() => undefined)
  }

  async #take(text: string): Promise<void> {
    if (this.#sink) return this.#sink(text)
    this.#text += text
    if (this.#text.length > MAX_TEXT) await this.#adopted.promise
  }

  /** Undefined when nothing was sent. */
  async handOver(db: ActivityResources['db']): Promise<AdoptedRequest | undefined> {
    const prompt = await this.#prepared.catch(() => undefined)
    const result = this.#result
    if (!prompt || !result) return undefined
    return {
      prompt,
      usageId: this.usageId,
      read: (onText, signal) => this.#read(result, onText, signal),
      abandon: () => this.abandon(db, new StopRequested('The request is not needed')),
    }
  }

  async #read(
    result: Promise<GenerateResult>,
    onText: (text: string) => Promise<void>,
    signal: AbortSignal,
  ): Promise<GenerateResult> {
    this.#isRead = true
    const abort = () => {
      this.#controller.abort(signal.reason)
      this.#adopted.resolve()
    }
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    try {
      // Text that arrives while the first piece is written goes after it.
      const text = this.#text
      this.#text = ''
      const first = text === '' ? Promise.resolve() : onText(text)
      this.#sink = onText
      this.#adopted.resolve()
      await first
      return await result
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  abandon(db: ActivityResources['db'], reason: unknown): void {
    if (this.#isRead) return
    this.#controller.abort(reason)
    this.#adopted.resolve()
    void this.#settle(db).catch(() => undefined)
  }

  async #settle(db: ActivityResources['db']): Promise<void> {
    const prompt = await this.#prepared.catch(() => undefined)
    if (!prompt || !this.#result) return deleteUsage(db, this.usageId)
    const usage = (await this.#result.catch(() => undefined))?.usage
    const { input_tokens } = prompt
    const counted = usage ?? { input_tokens, output_tokens: estimateTokens(this.#text) }
    await completeUsage(db, this.usageId, { ...counted, estimated: !usage })
  }
}
