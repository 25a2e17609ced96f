// How an attempt at a model call ends that did not finish: its status in the execution log, and what Temporal gets.
import { cancellationDetails, cancellationSignal, log } from '@temporalio/activity'
import { RefusedError } from '../../db/event-log.ts'
import type { LogEnd } from '../../db/queries/log.ts'
import { StopRequested } from '../../db/stops.ts'
import { ProviderFailure } from '../../providers/failure.ts'
import type { ChainModel } from '../../providers/registry.ts'
import { isActivityFailure, overtaken, toInternalFailure, toModelFailure } from '../failures.ts'

/** What an attempt that did not finish throws to Temporal. */
export function toActivityFailure(reason: unknown, model: ChainModel, failedBefore: number): unknown {
  if (reason instanceof RefusedError) return overtaken()
  if (!(reason instanceof ProviderFailure)) {
    // Another request is paid for as well: our own failures have the limit that those of models have.
    if (isActivityFailure(reason) || statusOf(reason) !== 'failed') return reason
    log.error('a model call failed by an error of this program', { model: model.model, error: reason })
    return toInternalFailure(reason, failedBefore)
  }
  log.warn('a model call failed', { provider: reason.provider, model: model.model, status: reason.status })
  return toModelFailure(reason, model, failedBefore)
}

/** A worker that shuts down interrupts its calls; another one will begin them again. */
export function statusOf(reason: unknown): LogEnd['status'] {
  if (reason instanceof StopRequested) return 'cancelled'
  if (reason instanceof RefusedError) return 'interrupted'
  if (!cancellationSignal().aborted) return 'failed'
  return cancellationDetails()?.workerShutdown ? 'interrupted' : 'cancelled'
}

/** Of an attempt that did not finish, for the execution log. */
export function describeAttempt(error: unknown) {
  if (!(error instanceof ProviderFailure)) return { message: error instanceof Error ? error.name : 'unknown' }
  const { message, provider, status, requestId: provider_request_id, kind } = error
  return { message, provider, status, provider_request_id, kind }
}
