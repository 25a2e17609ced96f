// The error that a client gets when a provider failed: provider, status and request id, without the provider's message.
import { MuxiError } from '../../contracts/failures.ts'
import type { ProviderFailure } from '../../providers/failure.ts'

/** @returns the error itself when it is none of a provider */
export function toUpstreamError(message: string, error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'ProviderFailure') return error
  const { provider, status, requestId } = error as ProviderFailure
  const details = {
    provider,
    ...(status !== undefined && { status }),
    // `request_id` is the one of the request that the client has sent.
    ...(requestId !== undefined && { provider_request_id: requestId }),
  }
  return new MuxiError('upstream_error', message, { details, cause: error })
}
