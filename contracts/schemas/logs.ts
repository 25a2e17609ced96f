// The execution log over all turns.
import { Type } from '@sinclair/typebox'
import { AgentFilterSchema } from './agent.ts'
import { TurnIdSchema, UserIdSchema } from './chat.ts'
import { GivenTimeSchema } from './fields.ts'
import { idPageFields } from './lists.ts'
import { LogEntrySchema } from './turns.ts'

const closed = { additionalProperties: false }
const { kind, status } = LogEntrySchema.properties

export const LogFilterSchema = Type.Object(
  {
    ...idPageFields('log'),
    agent_id: Type.Optional(AgentFilterSchema),
    user_id: Type.Optional(UserIdSchema),
    kind: Type.Optional(kind),
    status: Type.Optional(status),
    since: Type.Optional(GivenTimeSchema),
  },
  closed,
)

export const TurnLogEntrySchema = Type.Object(
  { turn_id: TurnIdSchema, agent_id: AgentFilterSchema, user_id: UserIdSchema, ...LogEntrySchema.properties },
  { ...closed, $id: 'TurnLogEntry' },
)
