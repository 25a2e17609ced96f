// An agent as an MCP tool: input and output schemas.
import { type Static, Type } from '@sinclair/typebox'
import { ConversationIdSchema, UserIdSchema } from './chat.ts'

const input = {
  content: Type.String({ minLength: 1, description: 'What is said to the agent' }),
  conversation_id: Type.Optional(
    Type.String({
      ...ConversationIdSchema,
      description:
        "an id that begins with 'conv_', as an earlier call gave it; left out: the user's default conversation",
    }),
  ),
}

/** For keys that are bound to a user. */
export const AgentToolInputSchema = Type.Object(input, { additionalProperties: false })

/** For keys that may act as any user. */
export const AgentToolInputForAnyUserSchema = Type.Object(
  {
    ...input,
    user_id: Type.Optional(
      Type.String({ ...UserIdSchema, description: `${UserIdSchema.description}; who is speaking` }),
    ),
  },
  { additionalProperties: false },
)

export const AgentToolOutputSchema = Type.Object({
  status: Type.String({
    description: 'completed, failed, cancelled, awaiting_approval, or running when it took too long',
  }),
  reply: Type.String({ description: 'What the agent said, as far as it came' }),
  agent_id: Type.String(),
  turn_id: Type.String({
    description: 'Names the turn in the HTTP API, where it can be read, followed, decided and stopped',
  }),
  conversation_id: Type.String({ description: 'Give it to the next call to go on with this conversation' }),
  usage: Type.Object({
    input_tokens: Type.Number(),
    output_tokens: Type.Number(),
    cost_usd: Type.Optional(Type.Number()),
  }),
  error: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
})

export type AgentToolInput = Static<typeof AgentToolInputForAnyUserSchema>
export type AgentToolOutput = Static<typeof AgentToolOutputSchema>

/** A message to `/mcp`; only the OpenAPI document uses this schema, because the MCP SDK validates messages. */
export const McpMessageSchema = Type.Object(
  {
    jsonrpc: Type.Literal('2.0'),
    id: Type.Optional(Type.Union([Type.String(), Type.Integer()])),
    method: Type.Union(
      (
        [
          'initialize',
          'notifications/initialized',
          'notifications/cancelled',
          'ping',
          'tools/list',
          'tools/call',
        ] as const
      ).map((method) => Type.Literal(method)),
    ),
    params: Type.Optional(
      Type.Object({
        name: Type.Optional(Type.String({ description: 'Of `tools/call`: the id of an agent' })),
        arguments: Type.Optional(Type.Partial(AgentToolInputForAnyUserSchema)),
        requestId: Type.Optional(Type.Union([Type.String(), Type.Integer()])),
        protocolVersion: Type.Optional(Type.String()),
        capabilities: Type.Optional(Type.Object({})),
        clientInfo: Type.Optional(Type.Object({ name: Type.String(), version: Type.String() })),
      }),
    ),
  },
  {
    examples: [
      { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'helper', arguments: { content: 'Hello' } } },
    ],
  },
)

/** A message of `/mcp`. */
export const JsonRpcSchema = Type.Object(
  { jsonrpc: Type.Literal('2.0') },
  {
    additionalProperties: true,
    $id: 'JsonRpcMessage',
    examples: [{ jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: 'Hello' }], isError: false } }],
  },
)
