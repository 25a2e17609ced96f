// Speech to text and text to speech.
import { Elysia } from 'elysia'
import { SpeechRequestSchema, TranscriptionFormSchema } from '../../contracts/schemas/audio.ts'
import { authenticated, bodyOf } from '../plugin.ts'
import { authorize } from '../services/access.ts'
import { speak, transcribe } from '../services/audio.ts'
import type { ApiContext } from '../services/context.ts'

export function audioRoutes(context: ApiContext) {
  return new Elysia({ prefix: '/audio', tags: ['audio'] })
    .use(authenticated(context))
    .post(
      '/transcriptions',
      ({ principal, request }) => {
        authorize(principal, 'chat')
        return transcribe(context, principal, request)
      },
      {
        detail: {
          summary: 'Turn speech into text',
          requestBody: bodyOf({ 'multipart/form-data': TranscriptionFormSchema }),
        },
      },
    )
    .post(
      '/speech',
      ({ principal, body, request }) => {
        authorize(principal, 'chat')
        return speak(context, body, request.signal)
      },
      { body: SpeechRequestSchema, detail: { summary: 'Turn text into speech' } },
    )
}
