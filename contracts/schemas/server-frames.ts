// The frames that the server sends over the WebSocket: the events of turns and jobs, errors, and answers to requests.
import { type TObject, type TSchema, Type } from '@sinclair/typebox'
import { TOPICS } from '../feed.ts'
import { MessageIdSchema } from './chat.ts'
import { ErrorBodySchema } from './errors.ts'
import { jobEventData, turnEventData } from './events.ts'
import { feedEventData } from './feed.ts'
import { CountSchema, oneOf, textOf } from './fields.ts'

const closed = { additionalProperties: false }
const event_id = Type.Integer({ minimum: 0, description: 'The number of the event: `resume` goes on after it' })

/** The data of an event, with its number. */
function numbered(data: TSchema, more: Record<string, TSchema> = {}) {
  return Type.Object({ ...(data as TObject).properties, ...more, event_id }, closed)
}

const { accepted, message_start, content, message_end, cancelled, error: _error, ...otherEvents } = turnEventData
const { progress, completed, failed } = jobEventData

/** The data of each type of frame. */
const SERVER_FRAME_DATA: Record<string, TSchema> = {
  accepted: Type.Object(
    {
      ...accepted.properties,
      position: Type.Optional(CountSchema),
      waits_for: Type.Optional(Type.String({ description: 'The turn that runs in the conversation' })),
      event_id: Type.Optional(event_id),
    },
    closed,
  ),
  chat_start: numbered(message_start, { message_id: MessageIdSchema }),
  chat_content: numbered(content),
  chat_end: numbered(message_end, { message_id: MessageIdSchema }),
  cancelled: Type.Object({ ...cancelled.properties, id: Type.String(), event_id }, closed),
  error: Type.Object({ ...ErrorBodySchema.properties, event_id: Type.Optional(event_id) }, closed),
  pong: Type.Object({}, closed),
  subscribed: Type.Object({ topics: Type.Array(oneOf(TOPICS)) }, closed),
  ...feedEventData,
  ...Object.fromEntries(Object.entries(otherEvents).map(([type, data]) => [type, numbered(data)])),
  progress: numbered(progress),
  completed: numbered(completed),
  failed: numbered(failed),
}

/** Any frame of the server. */
export const ServerFrameSchema = Type.Union(
  Object.entries(SERVER_FRAME_DATA).map(([type, data]) =>
    Type.Object({ type: Type.Literal(type), id: textOf('1', 'The id of the request that it answers'), data }, closed),
  ),
  {
    $id: 'ServerFrame',
    examples: [{ type: 'chat_content', id: '1', data: { content: 'Assam tea is malty.', step: 1, event_id: 3 } }],
  },
)
