// OpenAI's responses, for models that chat completions do not offer, or whose reasoning goes on between calls of tools.
import type OpenAI from 'openai'
import { openaiSdk } from './openai.ts'
import type { Provider } from './provider.ts'
import { readResponse } from './responses-reader.ts'
import { toResponsesParams } from './responses-request.ts'
import { streamedCall, type AdapterOptions } from './streamed-call.ts'

/** Models of OpenAI that answer there only. */
export const RESPONSES_ONLY = /^(o[13]-pro|gpt-5(\.\d+)?-(pro|codex)|codex-|o[34](-mini)?-deep-research)/

export function responsesProvider(options: AdapterOptions): Provider {
  let client: Promise<OpenAI> | undefined
  return {
    name: options.name,
    async generate(request, onDelta, signal) {
      client ??= openaiSdk(options)
      const { responses } = await client
      const { params, warnings } = toResponsesParams(request)
      return streamedCall(options, request, signal, {
        send: (sending) => responses.create(params, { signal: sending }).asResponse(),
        read: (events) => readResponse(events, onDelta, options.name),
        warnings,
      })
    },
  }
}
