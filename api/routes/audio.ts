// Speech to text and text to speech.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import {
  SPOKEN_TYPES,
  SpeechRequestSchema,
  TranscriptionFormSchema,
  TranscriptionSchema,
  VerboseTranscriptionSchema,
} from '../../contracts/schemas/audio.ts'
import { textOf } from '../../contracts/schemas/fields.ts'
import { JobSchema } from '../../contracts/schemas/job-views.ts'
import { authenticated, bodyOf } from '../plugin.ts'
import { Content, replies } from '../replies.ts'
import { speak, transcribe } from '../services/audio.ts'
import type { ApiContext } from '../services/context.ts'

const transcribed = new Content('The text, in the form of `response_format`', {
  'application/json': Type.Union([TranscriptionSchema, VerboseTranscriptionSchema]),
  'text/plain': textOf('Tea is grown in Assam.'),
  'text/vtt': textOf('WEBVTT\n\n00:00:00.000 --> 00:00:02.400\nTea is grown in Assam.\n'),
})
const spoken = new Content('The sound, in the format that was asked for', SPOKEN_TYPES)

export function audioRoutes(context: ApiContext) {
  return new Elysia({ prefix: '/audio', tags: ['audio'] })
    .use(authenticated(context))
    .post('/transcriptions', ({ principal, request }) => transcribe(context, principal, request), {
      ...replies(
        { 200: transcribed, 202: JobSchema },
        'bad_request',
        'conflict',
        'unprocessable',
        'budget_exceeded',
        'upstream_error',
      ),
      scope: 'chat',
      detail: {
        summary: 'Turn speech into text',
        requestBody: bodyOf({ 'multipart/form-data': TranscriptionFormSchema }),
      },
    })
    .post(
      '/speech',
      async ({ principal, body, request, set }) =>
        speak(context, principal, body, String(set.headers['x-request-id']), request.signal),
      {
        body: SpeechRequestSchema,
        ...replies({ 200: spoken }, 'budget_exceeded', 'upstream_error'),
        scope: 'chat',
        detail: { summary: 'Turn text into speech' },
      },
    )
}
