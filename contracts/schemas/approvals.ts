// Decisions on approvals, the same over REST and WebSocket.
import { type Static, Type } from '@sinclair/typebox'
import { oneOf } from './fields.ts'
import { idSchema } from './ids.ts'

export const ApprovalIdSchema = idSchema('appr')

export const decisionFields = {
  decision: Type.Union([Type.Literal('approve'), Type.Literal('deny'), Type.Literal('answer')], {
    description: "'approve' or 'deny' a call; 'answer' or 'deny' a question",
  }),
  arguments: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), { description: 'Of the call, in place of those that the model wrote' }),
  ),
  answer: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), { description: 'To a question, as its schema wants it' }),
  ),
  reason: Type.Optional(Type.String({ maxLength: 2000, description: 'Told to the model' })),
}

export const DecisionSchema = Type.Object(decisionFields, {
  additionalProperties: false,
  examples: [{ decision: 'approve', arguments: { to: 'bert@example.org' } }],
})
export type DecisionRequest = Static<typeof DecisionSchema>

export const ApprovalStatusSchema = oneOf(['waiting', 'decided', 'cancelled'])
