// What this process counts and measures, for Prometheus. Labels hold routes, statuses, providers and models: no id, no user, no key.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Logger } from 'pino'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { jobEnded, modelCallEnded, toolCallEnded, turnEnded } from '../../contracts/telemetry.ts'
import { countUnfinishedJobs, countUnfinishedTurns } from '../../db/queries/unfinished.ts'
import type { Storage } from '../../db/storage.ts'
import { routeName } from '../route-name.ts'
import { rateClassOf } from './rate-limiter.ts'

/** Seconds. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Most models with a label of their own: agents, and with them names of models, are made by clients. */
const MOST_MODELS = 100
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
/** Between two samples of the event loop, in milliseconds. */
const RESOLUTION_MS = 20

/** What is read when the metrics are. */
interface Looked {
  storage: Pick<Storage, 'db' | 'connections'>
  /** By part of the deployment: `ok`, or what is wrong. */
  checks: Readonly<Record<string, string>>
  /** Undefined when they are not known. */
  workers: number | undefined
  log: Pick<Logger, 'warn'>
}

export class Metrics {
  readonly #registry = new Registry()
  readonly #routes = new WeakMap<Request, string>()
  readonly #models = new Set<string>()
  #loop: ReturnType<typeof monitorEventLoopDelay> | undefined

  readonly #requests = this.#counter('http_requests_total', 'Requests that were answered', 'route', 'method', 'status')
  readonly #durations = new Histogram({
    name: 'muxi_http_request_duration_seconds',
    help: 'Until the head of the answer, of streams too; by the class of their rate limit',
    labelNames: ['class', 'method'],
    buckets: BUCKETS,
    registers: [this.#registry],
  })
  readonly #streams = this.#gauge('streams_open', 'Readers of event streams and WebSockets', 'kind')
  readonly #turns = this.#counter('turns_ended_total', 'Turns that ended in this process', 'status')
  readonly #jobs = this.#counter('jobs_ended_total', 'Jobs that ended in this process', 'kind', 'status')
  readonly #tools = this.#counter('tool_calls_ended_total', 'Tool calls that ended in this process', 'status')
  readonly #calls = this.#counter('model_calls_total', 'Requests to models that ended', 'provider', 'model', 'kind')
  readonly #tokens = this.#counter('model_tokens_total', 'Tokens of these requests', 'provider', 'model', 'direction')
  readonly #cost = this.#counter(
    'model_cost_usd_total',
    'Cost of these requests, where it is known',
    'provider',
    'model',
  )
  readonly #unfinishedTurns = this.#gauge('turns_unfinished', 'Turns of the whole deployment', 'status')
  readonly #unfinishedJobs = this.#gauge('jobs_unfinished', 'Jobs of the whole deployment', 'kind', 'status')
  readonly #up = this.#gauge('up', 'Whether this process reaches it: 1 or 0', 'part')
  readonly #workers = this.#gauge('workers', 'Workers of the whole deployment that poll')
  readonly #open = this.#gauge('database_connections', 'Of the pool of this process', 'state')
  readonly #memory = this.#gauge('process_memory_bytes', 'Memory of this process', 'kind')
  readonly #cpu = this.#counter('process_cpu_seconds_total', 'Processor time of this process')
  readonly #delay = this.#gauge('event_loop_delay_seconds', 'Since the metrics were read before', 'quantile')

  readonly #unsubscribe: (() => void)[]

  constructor() {
    this.#unsubscribe = [
      turnEnded.subscribe((ended) => this.#turns.inc(ended)),
      jobEnded.subscribe((ended) => this.#jobs.inc(ended)),
      toolCallEnded.subscribe((ended) => this.#tools.inc(ended)),
      modelCallEnded.subscribe(({ provider, model: name, kind, input_tokens, output_tokens, cost_usd }) => {
        const model = this.#bounded(name)
        this.#calls.inc({ provider, model, kind })
        this.#tokens.inc({ provider, model, direction: 'input' }, input_tokens)
        this.#tokens.inc({ provider, model, direction: 'output' }, output_tokens)
        this.#cost.inc({ provider, model }, cost_usd)
      }),
    ]
  }

  /** Ends the measuring. */
  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#loop?.disable()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** Notes the template of the route that answers a request. */
  matched(request: Request, route: string): void {
    this.#routes.set(request, routeName(route))
  }

  answered(request: Request, status: number, seconds: number): void {
    const route = this.#routes.get(request) ?? 'unmatched'
    const method = METHODS.has(request.method) ? request.method : 'other'
    this.#requests.inc({ route, method, status })
    this.#durations.observe({ class: rateClassOf(request.method, route), method }, seconds)
  }

  /** Counts a reader. @returns a function that ends it; idempotent */
  opened(kind: 'sse' | 'websocket'): () => void {
    this.#streams.inc({ kind })
    let isOpen = true
    return () => {
      if (isOpen) this.#streams.dec({ kind })
      isOpen = false
    }
  }

  /** In the text format of Prometheus. What cannot be read now is left out. */
  async text(looked: Looked): Promise<string> {
    const { checks, workers } = looked
    this.#readProcess(looked)
    for (const [part, state] of Object.entries(checks)) this.#up.set({ part }, state === 'ok' ? 1 : 0)
    this.#workers.reset()
    if (workers !== undefined) this.#workers.set(workers)
    this.#unfinishedTurns.reset()
    this.#unfinishedJobs.reset()
    if (checks.database === 'ok') await this.#readRows(looked)
    return this.#registry.metrics()
  }

  async #readRows({ storage: { db }, log }: Looked): Promise<void> {
    try {
      for (const { status, n } of await countUnfinishedTurns(db)) this.#unfinishedTurns.set({ status }, n)
      for (const { kind, status, n } of await countUnfinishedJobs(db)) this.#unfinishedJobs.set({ kind, status }, n)
    } catch (error) {
      log.warn({ err: error }, 'turns and jobs could not be counted for the metrics')
    }
  }

  #readProcess({ storage }: Looked): void {
    const { rss, heapTotal, heapUsed, external } = process.memoryUsage()
    for (const [kind, bytes] of Object.entries({ rss, heap_total: heapTotal, heap_used: heapUsed, external }))
      this.#memory.set({ kind }, bytes)
    const { user, system } = process.cpuUsage()
    this.#cpu.reset()
    this.#cpu.inc((user + system) / 1_000_000)
    for (const [state, n] of Object.entries(storage.connections?.() ?? {})) this.#open.set({ state }, n)
    this.#readLoop()
  }

  /** Measured from the first look on: it costs a timer. */
  #readLoop(): void {
    if (this.#loop) {
      const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1_000)
      this.#delay.set({ quantile: '0.5' }, seconds(this.#loop.percentile(50)))
      this.#delay.set({ quantile: '0.99' }, seconds(this.#loop.percentile(99)))
      this.#delay.set({ quantile: '1' }, seconds(this.#loop.max))
      this.#loop.reset()
      return
    }
    this.#loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    this.#loop.enable()
  }

  #bounded(model: string): string {
    if (this.#models.size < MOST_MODELS) this.#models.add(model)
    return this.#models.has(model) ? model : 'other'
  }

  #counter<T extends string>(name: string, help: string, ...labelNames: T[]): Counter<T> {
    return new Counter({ name: `muxi_${name}`, help, labelNames, registers: [this.#registry] })
  }

  #gauge<T extends string>(name: string, help: string, ...labelNames: T[]): Gauge<T> {
    return new Gauge({ name: `muxi_${name}`, help, labelNames, registers: [this.#registry] })
  }
}
