// Our workflows in the SDK's sandbox on a real Temporal server, with activities that a test scripts.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { activityInfo, cancelled, heartbeat } from '@temporalio/activity'
import { Client, type WorkflowHandle } from '@temporalio/client'
import type { History } from '@temporalio/common/lib/proto-utils.js'
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker'
import type { TurnActivities } from '../../activities/index.ts'
import type { McpCallActivities } from '../../activities/mcp/call-tool.ts'
import type { MediaActivities } from '../../activities/ingest/media-activities.ts'
import { MEDIA_TASK_QUEUE, TASK_QUEUE } from '../../contracts/temporal.ts'
import type { ModelCallResult, TurnInput } from '../../contracts/turn.ts'
import { connectOrThrow } from '../../temporal-config/connection.ts'
import { startDevServer } from '../../temporal-config/dev-server.ts'
import { ensureNamespace } from '../../temporal-config/namespace.ts'
import { INSTALLED_CACHE, workflowBundle } from '../../workers/workflow-bundle.ts'
import { temporalBinary } from './temporal-binary.ts'

/** The queue of the worker that holds the MCP servers. */
export const MCP_QUEUE = 'muxi-mcp-sandbox'

type Activities = TurnActivities & McpCallActivities & MediaActivities
/** What a test scripts; any other activity fails the workflow that calls it. */
export type Scripted = { [name in keyof Activities]?: (...input: Parameters<Activities[name]>) => unknown }

/** One call of an activity, in the order in which they began. */
export interface Called {
  name: string
  // oxlint-disable-next-line typescript/no-explicit-any -- what a test looks at is up to the test
  input: any
}

export class WorkflowSandbox {
  readonly client: Client
  readonly #connection: NativeConnection
  readonly #stops: (() => Promise<unknown>)[] = []
  #workers: { worker: Worker; ended: Promise<void> }[] = []
  #scripted: Scripted = {}
  /** Of the scripted activities, since they were scripted. */
  called: Called[] = []

  private constructor(connection: NativeConnection) {
    this.#connection = connection
    this.client = new Client({ connection })
  }

  /** Starts a Temporal server and a worker. */
  static async start(): Promise<WorkflowSandbox> {
    Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'ERROR' } } })
    const dataDir = mkdtempSync(join(tmpdir(), 'muxi-sandbox-'))
    const server = await startDevServer({
      binary: await temporalBinary(),
      dataDir,
      codecEndpoint: undefined,
      env: process.env,
    })
    const setup = await connectOrThrow(server, { patience_ms: 10_000 })
    await ensureNamespace(setup, { namespace: 'default', history_days: 1 })
    await setup.close()
    const sandbox = new WorkflowSandbox(await NativeConnection.connect({ address: server.address }))
    sandbox.#stops.push(
      () => sandbox.#connection.close(),
      () => server.stop(),
      async () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 }),
    )
    await sandbox.startWorkers()
    return sandbox
  }

  /** Says what activities do from now on, and forgets which were called. */
  script(scripted: Scripted): void {
    this.#scripted = scripted
    this.called = []
  }

  /** The inputs with which an activity was called. */
  inputs(name: keyof Activities): Called['input'][] {
    return this.called.filter((each) => each.name === name).map(({ input }) => input)
  }

  /** Starts a worker for every queue. */
  async startWorkers(): Promise<void> {
    const call = (name: string) => (input: unknown) => {
      this.called.push({ name, input })
      const scripted = (this.#scripted as Record<string, ((input: unknown) => unknown) | undefined>)[name]
      if (!scripted) throw new Error(`The test did not expect '${name}'`)
      return scripted(input)
    }
    const activities = Object.fromEntries(NAMES.map((name) => [name, call(name)]))
    const shared = { connection: this.#connection, activities, maxHeartbeatThrottleInterval: 20 } as const
    const bundle = await workflowBundle(INSTALLED_CACHE)
    const workers = await Promise.all([
      Worker.create({
        ...shared,
        taskQueue: TASK_QUEUE,
        workflowBundle: bundle,
        stickyQueueScheduleToStartTimeout: '100ms',
      }),
      ...[MEDIA_TASK_QUEUE, MCP_QUEUE].map((taskQueue) => Worker.create({ ...shared, taskQueue })),
    ])
    this.#workers = workers.map((worker) => ({ worker, ended: worker.run() }))
  }

  /** Ends the workers; workflows stay where they are. */
  async stopWorkers(): Promise<void> {
    for (const { worker } of this.#workers) worker.shutdown()
    await Promise.all(this.#workers.map(({ ended }) => ended))
    this.#workers = []
  }

  /** Starts the workflow of a turn with defaults for what the test leaves out. */
  async startTurn(given: Partial<TurnInput> = {}): Promise<WorkflowHandle> {
    const turn = aTurn(given)
    return this.client.workflow.start('chatTurn', {
      taskQueue: TASK_QUEUE,
      workflowId: `turn/${turn.turn_id}`,
      args: [turn],
      workflowTaskTimeout: '5s',
    })
  }

  /** Every history that there is, to be replayed. */
  async histories(): Promise<{ workflowId: string; history: History }[]> {
    const found = []
    for await (const { workflowId, runId } of this.client.workflow.list())
      found.push({ workflowId, history: await this.client.workflow.getHandle(workflowId, runId).fetchHistory() })
    return found
  }

  /** Replays histories with the code of today. @returns what went wrong */
  async replay(): Promise<string[]> {
    const options = { workflowBundle: await workflowBundle(INSTALLED_CACHE) }
    const wrong: string[] = []
    for await (const { workflowId, error } of Worker.runReplayHistories(options, await this.histories()))
      if (error) wrong.push(`${workflowId}: ${error.message}`)
    return wrong
  }

  async close(): Promise<void> {
    await this.stopWorkers()
    for (const stop of this.#stops) await stop()
  }
}

/** Of our activities, those that a test may script. */
const NAMES: (keyof Activities)[] = [
  'claimTurn',
  'finishTurn',
  'callModel',
  'callTool',
  'abandonToolCall',
  'locateMcpServer',
  'callMcpTool',
  'giveUpMcpCall',
  'beginAsk',
  'endAsk',
  'handOver',
  'beginJob',
  'finishJob',
  'inspectFile',
  'parseBatch',
  'prepareImage',
  'readImage',
  'describeImage',
  'indexBatch',
  'publishJob',
  'planSummary',
  'summarizePart',
  'writeMemories',
]

/** The input of a turn with defaults for what the test leaves out. */
export function aTurn(given: Partial<TurnInput>): TurnInput {
  return {
    turn_id: `turn_${randomUUID()}`,
    agent_id: 'agent',
    agent_version: 1,
    conversation_id: 'conv_1',
    user_hash: 'user',
    models: [{ provider: 'openai', model: 'first' }],
    max_steps: 5,
    max_tokens: 100_000,
    deadline_ms: 60_000,
    ...given,
  }
}

/** What a model activity gives: calls of tools, or the end of the turn. */
export function reply(turn_id: string, step: number, ...calls: ModelCallResult['calls']): ModelCallResult {
  const used = { input_tokens: 10, output_tokens: 5 }
  if (calls.length > 0) return { turn_id, step, finish: 'tool_calls', calls, ...used }
  return { turn_id, step, finish: 'ended', status: 'completed', calls, ...used }
}

/** An activity that works until it is cancelled. */
export async function untilCancelled(): Promise<never> {
  const beating = setInterval(heartbeat, 10, activityInfo().attempt)
  return cancelled().finally(() => clearInterval(beating)) as Promise<never>
}
