// Speech in OpenAI's form: the format is called `response_format` there.
import type { OpenaiSpeechRequest } from '../../contracts/schemas/openai-requests.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { speak } from '../services/audio.ts'
import type { ApiContext } from '../services/context.ts'

/** @throws MuxiError, `budget_exceeded` when a budget leaves no room */
export function speakOpenai(
  context: ApiContext,
  principal: Principal,
  body: OpenaiSpeechRequest,
  requestId: string,
  signal: AbortSignal,
): Promise<Response> {
  const { input, voice, response_format, speed, instructions } = body
  return speak(
    context,
    principal,
    {
      input,
      ...(voice != null && { voice }),
      ...(response_format != null && { format: response_format }),
      ...(speed != null && { speed }),
      ...(instructions != null && { instructions }),
    },
    requestId,
    signal,
  )
}
