// The client's error for a provider failure: provider, status and request id, without the provider's message.
import { MuxiError } from '../../contracts/failures.ts'
import type { ProviderFailure } from '../../providers/failure.ts'

/** @returns the error itself when it is not a provider failure */
export function toUpstreamError(message: string, error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'ProviderFailure') return error
  const { provider, status, requestId } = error as ProviderFailure
  const details = {
    provider,
    ...(status !== undefined && { status }),
    // `request_id` is the id of the client's request.
    ...(requestId !== undefined && { provider_request_id: requestId }),
  }
  return new MuxiError('upstream_error', message, { details, cause: error })
}
