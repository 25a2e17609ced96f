// The frames that a client sends over the WebSocket.
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { TOPICS } from '../feed.ts'
import { AgentIdSchema } from './agent.ts'
import { ApprovalIdSchema, decisionFields } from './approvals.ts'
import { chatFields, TurnIdSchema } from './chat.ts'
import { JobIdSchema } from './jobs.ts'

const closed = { additionalProperties: false }
const after = Type.Optional(Type.Integer({ minimum: 0 }))

export const FrameSchema = Type.Object(
  {
    type: Type.String({ maxLength: 64 }),
    id: Type.String({ minLength: 1, maxLength: 128, description: 'a request id of 1 to 128 characters' }),
    data: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  closed,
)

/** The data of each type of frame. */
export const FRAME_DATA = {
  chat: Type.Object(
    {
      ...chatFields,
      agent_id: Type.Optional(AgentIdSchema),
      idempotency_key: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    },
    closed,
  ),
  resume: Type.Union([
    Type.Object({ turn_id: TurnIdSchema, after }, closed),
    Type.Object({ job_id: JobIdSchema, after }, closed),
  ]),
  cancel: Type.Object({ turn_id: TurnIdSchema }, closed),
  approve: Type.Object({ turn_id: TurnIdSchema, approval_id: ApprovalIdSchema, ...decisionFields }, closed),
  subscribe: Type.Object(
    {
      topics: Type.Array(Type.Union(TOPICS.map((topic) => Type.Literal(topic))), {
        maxItems: TOPICS.length,
        uniqueItems: true,
        description: `a list of different topics: ${TOPICS.join(', ')}`,
      }),
    },
    closed,
  ),
  ping: Type.Object({}, closed),
} satisfies Record<string, TSchema>

/** Frames of live speech. */
export const AUDIO_FRAMES: readonly string[] = ['audio_start', 'audio_chunk', 'audio_end']

export type FrameType = keyof typeof FRAME_DATA
export type FrameData<T extends FrameType> = Static<(typeof FRAME_DATA)[T]>

/** Any frame of a client; only the OpenAPI document uses this schema. */
export const ClientFrameSchema = Type.Union(
  Object.entries(FRAME_DATA).map(([type, data]) =>
    Type.Object({ ...FrameSchema.properties, type: Type.Literal(type), data }, closed),
  ),
  {
    $id: 'ClientFrame',
    examples: [{ type: 'chat', id: '1', data: { agent_id: 'helper', content: 'Which tea grows in Assam?' } }],
  },
)
