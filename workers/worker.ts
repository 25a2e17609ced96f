// Makes the Temporal worker: workflows from the bundle, activities from their dependencies, and concurrency limits.
import { Worker, type NativeConnection } from '@temporalio/worker'
import type { Logger } from 'pino'
import { createActivities } from '../activities/index.ts'
import type { ActivityResources } from '../activities/resources.ts'
import type { RoutingOptions } from '../activities/turn/route-turn.ts'
import type { TurnResources } from '../activities/turn/turn-resources.ts'
import type { Tool } from '../activities/tools/tool.ts'
import { searchKnowledge } from '../activities/tools/search-knowledge.ts'
import { BUILT_IN_TOOLS } from '../activities/tools/tools.ts'
import { TASK_QUEUE } from '../contracts/temporal.ts'
import type { Storage } from '../db/storage.ts'
import type { ModelRegistry } from '../providers/registry.ts'
import { HeadStarts } from '../activities/turn/head-start.ts'
import { stepPrompts } from '../activities/turn/step-prompt.ts'
import type { SearchIndex } from '../vectors/search-index.ts'
import { memoryStarter } from './memory-starter.ts'
import { turnDescriber, turnStarter, type TurnStarterOptions } from './turn-starter.ts'
import { failureInterceptor } from './failure-interceptor.ts'
import { workflowBundle } from './workflow-bundle.ts'

/** Model calls mostly wait for the network: so concurrency is high. */
const CONCURRENT_ACTIVITIES = 400
/** Ten are held by polls, and each eager start holds one until its workflow's first task is done: without one the turn may go to another worker. */
const CONCURRENT_WORKFLOW_TASKS = 100
/** Workflows whose turns run or wait: a cached one costs 40 kB (docs/benchmarks.md, Memory), one that is not is replayed. */
const CACHED_WORKFLOWS = 500

export interface WorkerOptions {
  connection: NativeConnection
  namespace: string
  /** Folder of the workflow bundle when the installation is read-only. */
  cache_dir: string
  storage: Storage
  models: ModelRegistry
  index: SearchIndex
  hidden: ActivityResources['hidden']
  findTranscriber: ActivityResources['findTranscriber']
  turns: TurnResources
  tool_output_characters: number
  log: Logger
}

export interface TurnResourcesOptions extends TurnStarterOptions {
  routing: RoutingOptions
  storage: Storage
  models: ModelRegistry
  index: SearchIndex
  tools?: readonly Tool[] | undefined
  /** Whether messages are accepted in this process too, so that their first model requests may be sent early. */
  headStart: boolean
  log: Logger
}

export function createTurnResources(options: TurnResourcesOptions): TurnResources {
  const { storage, models, index, log } = options
  const tools = [...(options.tools ?? BUILT_IN_TOOLS), searchKnowledge({ ...storage, index })]
  const prepareStep = stepPrompts({ ...storage, models, index, tools, log })
  const describeTurn = turnDescriber(options)
  return {
    tools,
    routing: options.routing,
    prepareStep,
    headStarts: options.headStart ? new HeadStarts({ ...storage, models }, prepareStep) : undefined,
    describeTurn,
    startTurn: turnStarter(options, describeTurn),
    startMemory: memoryStarter(options.client, storage),
  }
}

/** A worker that is ready to `run()`; it must be shut down before the storage is closed. */
export async function createWorker(options: WorkerOptions): Promise<Worker> {
  const { storage, index, log } = options
  return Worker.create({
    connection: options.connection,
    namespace: options.namespace,
    taskQueue: TASK_QUEUE,
    workflowBundle: await workflowBundle(options.cache_dir),
    activities: createActivities({
      ...storage,
      ...options.turns,
      vectors: index.vectors,
      models: options.models,
      index,
      hidden: options.hidden,
      findTranscriber: options.findTranscriber,
      tool_output_characters: options.tool_output_characters,
    }),
    interceptors: { activity: [(context) => ({ inbound: failureInterceptor(context, log) })] },
    // The default sticky timeout would delay the workflows of a killed worker by 10 s.
    stickyQueueScheduleToStartTimeout: '1s',
    maxHeartbeatThrottleInterval: '500ms',
    defaultHeartbeatThrottleInterval: '500ms',
    shutdownGraceTime: '5s',
    shutdownForceTime: '15s',
    maxConcurrentActivityTaskExecutions: CONCURRENT_ACTIVITIES,
    maxConcurrentLocalActivityExecutions: CONCURRENT_ACTIVITIES,
    maxConcurrentWorkflowTaskExecutions: CONCURRENT_WORKFLOW_TASKS,
    maxCachedWorkflows: CACHED_WORKFLOWS,
  })
}
