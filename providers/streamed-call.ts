// One streamed call of a model, whatever the vendor: sent, watched for silence, read, and its failure described in our words.
import { chunksOf } from './answer-body.ts'
import { toFailure, type CallOptions } from './call-failure.ts'
import { StallTimer, watched, type Fetch } from './outgoing.ts'
import type { GenerateRequest, GenerateResult } from './provider.ts'

/** What every adapter is opened with. */
export interface AdapterOptions extends CallOptions {
  base_url?: string | undefined
  /** Instead of the global one. */
  fetch?: Fetch | undefined
}

interface Steps {
  /** Sends the request. @returns the answer, unread */
  send: (signal: AbortSignal) => Promise<Response>
  read: (chunks: AsyncIterable<unknown>) => Promise<GenerateResult>
  /** The parts of the request that could not be expressed. */
  warnings: readonly string[]
}

/** @throws ProviderFailure, or the signal's reason when it aborts */
export async function streamedCall(
  options: CallOptions,
  { model, tools }: GenerateRequest,
  signal: AbortSignal,
  { send, read, warnings }: Steps,
): Promise<GenerateResult> {
  const stall = new StallTimer(options.stall_ms)
  try {
    const closing = new AbortController()
    const either = AbortSignal.any([signal, stall.signal])
    const response = await send(AbortSignal.any([either, closing.signal]))
    options.observe?.(model, response.status, response.headers)
    stall.restart()
    const result = await read(watched(chunksOf(response, closing), stall, either))
    return { ...result, warnings: [...warnings, ...result.warnings] }
  } catch (error) {
    signal.throwIfAborted()
    const { status, headers } = (error ?? {}) as { status?: unknown; headers?: unknown }
    if (typeof status === 'number' && headers instanceof Headers) options.observe?.(model, status, headers)
    throw toFailure(
      error,
      options,
      stall.signal.aborted,
      tools.map(({ name }) => name),
    )
  } finally {
    stall.stop()
  }
}
