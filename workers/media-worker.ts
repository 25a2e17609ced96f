// The Temporal worker for CPU-bound work: concurrency is at most the number of cores, so that everything else stays
// responsive.
import { availableParallelism } from 'node:os'
import { Worker, type NativeConnection } from '@temporalio/worker'
import type { Logger } from 'pino'
import { mediaActivities } from '../activities/ingest/media-activities.ts'
import { MEDIA_TASK_QUEUE } from '../contracts/temporal.ts'
import type { Storage } from '../db/storage.ts'
import type { AudioLimits } from '../media/audio/ffmpeg.ts'
import type { ImageLimits } from '../media/image/image.ts'
import { Ocr } from '../media/image/ocr.ts'
import type { ParseLimits } from '../media/document/parse-limits.ts'
import type { ModelRegistry } from '../providers/registry.ts'
import { failureInterceptor } from './failure-interceptor.ts'

export interface MediaWorkerOptions {
  connection: NativeConnection
  namespace: string
  storage: Storage
  models: ModelRegistry
  parse_limits: ParseLimits
  image_limits: ImageLimits
  audio_limits: AudioLimits
  log: Logger
}

/** A worker that is ready to `run()`; it must be shut down before the storage is closed. */
export function createMediaWorker(options: MediaWorkerOptions): Promise<Worker> {
  const { connection, namespace, storage, models, log, ...limits } = options
  const ocr = new Ocr(limits.parse_limits)
  return Worker.create({
    connection,
    namespace,
    taskQueue: MEDIA_TASK_QUEUE,
    activities: mediaActivities({ ...storage, models, ocr, ...limits }),
    interceptors: { activity: [(context) => ({ inbound: failureInterceptor(context, log) })] },
    maxHeartbeatThrottleInterval: '500ms',
    defaultHeartbeatThrottleInterval: '500ms',
    shutdownGraceTime: '5s',
    shutdownForceTime: '15s',
    maxConcurrentActivityTaskExecutions: availableParallelism(),
  })
}
