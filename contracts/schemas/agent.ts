// The schema of an agent, shared by agent files, POST and PATCH /agents, import and the OpenAPI document.
// The description of a text with a pattern is also the expectation in error messages.
import { type Static, Type } from '@sinclair/typebox'
import { HttpUrlSchema, SecretSchema } from './fields.ts'
import { idSchema } from './ids.ts'
import { McpServerSchema } from './mcp-server.ts'

const closed = { additionalProperties: false }

/** The id of an agent. Lower case only: it is used in URLs and file names, where `Bot` and `bot` must not be two agents. */
export const AgentIdSchema = Type.String({
  // Reserved: `auto` is the orchestrator among the models of /v1, `import` is a route.
  pattern: '^(?!(?:auto|import)$)[a-z0-9][a-z0-9_-]{0,63}$',
  description:
    "1 to 64 lower-case letters, digits, '_' or '-', beginning with a letter or a digit, and not 'auto' or 'import'",
  examples: ['helper'],
})

/** In filters: an agent, or `auto` for conversations of the orchestrator and turns whose agent is not chosen yet. */
export const AgentFilterSchema = Type.String({
  pattern: '^(?!import$)[a-z0-9][a-z0-9_-]{0,63}$',
  description: "the id of an agent, or 'auto' for the orchestrator",
  examples: ['helper'],
})

/** The providers a model may name; `openai` is also every compatible server, by `base_url`. */
export const ProviderSchema = Type.Union([
  Type.Literal('openai'),
  Type.Literal('anthropic'),
  Type.Literal('gemini'),
  Type.Literal('xai'),
  Type.Literal('deepseek'),
  Type.Literal('mistral'),
  Type.Literal('groq'),
  Type.Literal('openrouter'),
  Type.Literal('ollama'),
  Type.Literal('lmstudio'),
  Type.Literal('vllm'),
  Type.Literal('llamacpp'),
  Type.Literal('offline'),
])

export const ReasoningSchema = Type.Union(
  [Type.Literal('none'), Type.Literal('low'), Type.Literal('medium'), Type.Literal('high')],
  { description: "How much the model reasons before it answers; the vendor's default when left out" },
)
export type Reasoning = Static<typeof ReasoningSchema>

const modelFields = {
  provider: ProviderSchema,
  model: Type.String({ minLength: 1, maxLength: 256, description: "The provider's name of the model" }),
  api_key: Type.Optional(SecretSchema),
  base_url: Type.Optional(HttpUrlSchema),
  temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 2 })),
  top_p: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  reasoning: Type.Optional(ReasoningSchema),
  api: Type.Optional(
    Type.Union([Type.Literal('chat'), Type.Literal('responses')], {
      description:
        "Which of OpenAI's interfaces is used: chat completions, or responses, which keep reasoning between calls",
    }),
  ),
  max_cost_usd: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 1_000_000,
      description: 'Most that one call may cost, by the estimate before it',
    }),
  ),
  max_first_token_ms: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 3_600_000,
      description: 'How soon it must begin to answer, while there is a fallback',
    }),
  ),
  max_output_tokens: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Longest reply of one model call, in tokens' }),
  ),
}

const FallbackSchema = Type.Object(modelFields, closed)
const fallbacks = Type.Optional(
  Type.Array(FallbackSchema, { maxItems: 8, description: 'Tried in this order when the models before have failed' }),
)

const AbilitySchema = Type.Union([Type.Literal('tools'), Type.Literal('pictures'), Type.Literal('response_schema')])
export type Ability = Static<typeof AbilitySchema>

const requires = Type.Optional(
  Type.Array(AbilitySchema, {
    maxItems: 3,
    description:
      'What the models must be able to do, by the table of models: those that cannot are left out, and an agent without any that can is refused',
  }),
)

const strategy = Type.Optional(
  Type.Union([Type.Literal('fallback'), Type.Literal('cheapest'), Type.Literal('fastest')], {
    description:
      'The order in which the models are asked: as written, by price, or by the measured time to the first piece of an answer',
  }),
)

/** A model and its fallbacks. */
export const ModelSchema = Type.Object({ ...modelFields, fallbacks, requires, strategy }, closed)

const BufferSizeSchema = Type.Integer({
  minimum: 0,
  maximum: 1000,
  description: 'How many of the latest messages the model sees',
})

const memoryFields = {
  buffer: Type.Optional(
    Type.Union([
      BufferSizeSchema,
      Type.Object(
        {
          max_size: Type.Optional(BufferSizeSchema),
          buffer_multiplier: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 100,
              description:
                'Of this many times the latest messages, those nearest in meaning to the question are shown too; 1: none',
            }),
          ),
        },
        closed,
      ),
    ]),
  ),
  long_term: Type.Optional(
    Type.Union([Type.Boolean(), Type.String({ minLength: 1, maxLength: 4096 })], {
      description:
        'Whether what a user says to the agent, and what it replies, is remembered across conversations. In agent files also the connection string of the main database',
    }),
  ),
  multi_user: Type.Optional(Type.Literal(true, { description: 'Memory is always kept apart by user' })),
  extract_user_info: Type.Optional(
    Type.Boolean({
      description:
        "Whether a model call after each turn adds what users say about themselves to the user's context memory",
    }),
  ),
}

export const MemorySchema = Type.Object(memoryFields, closed)

export const OnBusySchema = Type.Union([Type.Literal('queue'), Type.Literal('reject'), Type.Literal('interrupt')], {
  description: 'What becomes of a message that arrives while the conversation is answering another',
})

const knowledgeFields = { id: AgentIdSchema, description: Type.Optional(Type.String({ maxLength: 2000 })) }

/** A source of an agent's knowledge: a path on the server, the text itself, or an uploaded file. */
export const KnowledgeSchema = Type.Union([
  Type.Object(
    {
      ...knowledgeFields,
      source_type: Type.Optional(Type.Literal('file')),
      path: Type.String({ minLength: 1, maxLength: 4096 }),
    },
    closed,
  ),
  Type.Object(
    { ...knowledgeFields, source_type: Type.Optional(Type.Literal('content')), content: Type.String({ minLength: 1 }) },
    closed,
  ),
  Type.Object(
    {
      ...knowledgeFields,
      source_type: Type.Optional(Type.Literal('upload')),
      file_id: idSchema('file'),
    },
    closed,
  ),
])

const words = {
  description: Type.String({
    minLength: 1,
    maxLength: 2000,
    description: 'What the agent is good for, in a sentence; messages are routed by it',
  }),
  system_message: Type.String({
    minLength: 1,
    maxLength: 100_000,
    description: 'The instructions that the model reads first',
  }),
}

const otherAgents = (description: string) =>
  Type.Optional(Type.Array(AgentIdSchema, { maxItems: 32, uniqueItems: true, description }))

const behaviour = {
  agent_tools: otherAgents('Agents that its model may ask: each is a tool, whose answer it goes on with'),
  handoffs: otherAgents('Agents that its model may hand a turn over to: the other one answers'),
  on_busy: Type.Optional(OnBusySchema),
  knowledge: Type.Optional(Type.Array(KnowledgeSchema, { maxItems: 100 })),
  mcp_servers: Type.Optional(Type.Array(McpServerSchema, { maxItems: 32 })),
}

/** An agent as written by operators and clients. `name` is an alias of `id`; the default of `model` is `auto`. */
export const AgentSchema = Type.Object(
  {
    id: Type.Optional(AgentIdSchema),
    name: Type.Optional(AgentIdSchema),
    ...words,
    model: Type.Optional(ModelSchema),
    memory: Type.Optional(MemorySchema),
    ...behaviour,
  },
  {
    ...closed,
    $id: 'AgentRequest',
    examples: [
      {
        id: 'helper',
        description: 'Answers questions about tea',
        system_message: 'You answer questions about tea.',
        model: { provider: 'openai', model: 'gpt-4.1-mini', temperature: 0.3 },
        memory: { buffer: 20, long_term: true },
      },
    ],
  },
)

/** The source of an agent: the operator's file, or a client of the API. */
export type AgentSource = 'file' | 'api'

export type Provider = Static<typeof ProviderSchema>
export type FallbackModel = Static<typeof FallbackSchema>
export type ModelConfig = Static<typeof ModelSchema>
/** Memory with its forms and defaults resolved. */
export interface MemoryConfig {
  /** How many of the latest messages the model sees. */
  buffer: number
  /** The buffer holds this many times as many messages, to be found by meaning. */
  buffer_multiplier?: number
  long_term: boolean
  extract_user_info?: boolean
}
export type AgentInput = Static<typeof AgentSchema>

/** An agent with its id known and its defaults filled in; the default of `model` is still `auto`. */
export interface AgentConfig extends Omit<AgentInput, 'name' | 'memory'> {
  id: string
  memory: MemoryConfig
  on_busy: Static<typeof OnBusySchema>
}

export interface MemoryDefaults {
  /** Of agents that do not say whether they have long-term memory. */
  long_term: boolean
}

/** Resolves an agent's input to its configuration, under this id. A connection string has been checked: it names the main database. */
export function resolveAgent(
  input: AgentInput,
  id: string,
  defaults: MemoryDefaults = { long_term: false },
): AgentConfig {
  const { name: _alias, memory, ...rest } = input
  return { ...rest, id, memory: resolveMemory(memory ?? {}, defaults), on_busy: rest.on_busy ?? 'queue' }
}

/** A configuration as it is written: what `resolveAgent` resolves to the same again. */
export function toAgentInput({ memory: { buffer, buffer_multiplier, ...memory }, ...rest }: AgentConfig): AgentInput {
  const size = buffer_multiplier === undefined ? buffer : { max_size: buffer, buffer_multiplier }
  return { ...rest, memory: { buffer: size, ...memory } }
}

/** As in the MUXI framework. */
export const BUFFER_MULTIPLIER = 10

function resolveMemory(
  { buffer, long_term, extract_user_info }: NonNullable<AgentInput['memory']>,
  defaults: MemoryDefaults,
): MemoryConfig {
  const { max_size, buffer_multiplier }: { max_size?: number; buffer_multiplier?: number } =
    typeof buffer === 'number' ? { max_size: buffer } : (buffer ?? {})
  return {
    buffer: max_size ?? 20,
    ...(buffer_multiplier !== undefined && { buffer_multiplier }),
    long_term: long_term === undefined ? defaults.long_term : long_term !== false,
    ...(extract_user_info && { extract_user_info }),
  }
}

/** Whether the ends of an agent's turns leave something to be remembered. */
export function isRemembering({ long_term, extract_user_info }: MemoryConfig): boolean {
  return long_term || extract_user_info === true
}
