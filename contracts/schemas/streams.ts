// The header that resumes a stream.
import { Type } from '@sinclair/typebox'

export const resumeHeaders = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({ pattern: '^\\d{1,15}$', description: 'the number of the last event that was read' }),
  ),
})
