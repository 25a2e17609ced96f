// Speech to text and text to speech.
import { Elysia } from 'elysia'
import { SpeechRequestSchema, TranscriptionFormSchema } from '../../contracts/schemas/audio.ts'
import { authenticated, bodyOf } from '../plugin.ts'
import { speak, transcribe } from '../services/audio.ts'
import type { ApiContext } from '../services/context.ts'

export function audioRoutes(context: ApiContext) {
  return new Elysia({ prefix: '/audio', tags: ['audio'] })
    .use(authenticated(context))
    .post('/transcriptions', ({ principal, request }) => transcribe(context, principal, request), {
      scope: 'chat',
      detail: {
        summary: 'Turn speech into text',
        requestBody: bodyOf({ 'multipart/form-data': TranscriptionFormSchema }),
      },
    })
    .post('/speech', ({ body, request }) => speak(context, body, request.signal), {
      body: SpeechRequestSchema,
      scope: 'chat',
      detail: { summary: 'Turn text into speech' },
    })
}
