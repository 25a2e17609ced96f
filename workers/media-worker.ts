// The Temporal worker for work that needs a core: no more at once than there are cores, so that everything else stays quick.
import { availableParallelism } from 'node:os'
import { Worker, type NativeConnection } from '@temporalio/worker'
import type { Logger } from 'pino'
import { parseActivities } from '../activities/parse.ts'
import { MEDIA_TASK_QUEUE } from '../contracts/engine.ts'
import type { Storage } from '../db/storage.ts'
import type { ParseLimits } from '../media/parse-document.ts'
import { failureInterceptor } from './failure-interceptor.ts'

export interface MediaWorkerOptions {
  connection: NativeConnection
  namespace: string
  storage: Storage
  parse_limits: ParseLimits
  log: Logger
}

/** A worker that is ready to `run()`; it must be shut down before the storage is closed. */
export function createMediaWorker({
  connection,
  namespace,
  storage,
  parse_limits,
  log,
}: MediaWorkerOptions): Promise<Worker> {
  return Worker.create({
    connection,
    namespace,
    taskQueue: MEDIA_TASK_QUEUE,
    activities: parseActivities({ ...storage, parse_limits }),
    interceptors: { activity: [(context) => ({ inbound: failureInterceptor(context, log) })] },
    maxHeartbeatThrottleInterval: '500ms',
    defaultHeartbeatThrottleInterval: '500ms',
    shutdownGraceTime: '5s',
    shutdownForceTime: '15s',
    maxConcurrentActivityTaskExecutions: availableParallelism(),
  })
}
