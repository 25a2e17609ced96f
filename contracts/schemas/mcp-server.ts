// The schema of an MCP server of an agent: where it is, its credentials, and which of its calls require approval.
import { type Static, Type } from '@sinclair/typebox'
import { HttpUrlSchema, NameSchema, SecretSchema } from './fields.ts'

const closed = { additionalProperties: false }

const credentialFields = {
  id: NameSchema,
  param_name: NameSchema,
  required: Type.Optional(Type.Boolean()),
  in: Type.Optional(Type.Union([Type.Literal('header'), Type.Literal('query'), Type.Literal('env')])),
}

/** Credentials of an MCP server: names with their values, or a list that also specifies where each is sent. */
export const CredentialsSchema = Type.Union([
  Type.Record(NameSchema, SecretSchema, { ...closed, maxProperties: 100 }),
  Type.Array(
    Type.Object(
      { ...credentialFields, value: Type.Optional(SecretSchema), env_fallback: Type.Optional(NameSchema) },
      closed,
    ),
    { maxItems: 32 },
  ),
])

function seconds(maximum: number, description: string) {
  return Type.Integer({ minimum: 1, maximum, description: `${description}, in seconds` })
}

/** Which calls require approval. */
export const ApprovalSchema = Type.Union([Type.Literal('never'), Type.Literal('always'), Type.Literal('destructive')])
export type Approval = Static<typeof ApprovalSchema>

export const ApprovalsSchema = Type.Object(
  {
    default: Type.Optional(ApprovalSchema),
    tools: Type.Optional(
      Type.Record(Type.String({ minLength: 1, maxLength: 128 }), ApprovalSchema, {
        maxProperties: 1000,
        description: 'By names of tools, in which `*` and `?` stand for anything; the pattern that says most counts',
      }),
    ),
  },
  closed,
)

const mcpFields = {
  name: NameSchema,
  credentials: Type.Optional(CredentialsSchema),
  approval: Type.Optional(Type.Union([ApprovalSchema, ApprovalsSchema])),
  offered_tools: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 128 }), {
      maxItems: 1000,
      description: 'The tools that models are offered, by patterns as in `approval`; all of them when left out',
    }),
  ),
  read_only_tools: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 128 }), {
      maxItems: 1000,
      description: 'Read-only tools: no approval is required under `destructive`, and they may run twice',
    }),
  ),
  trust_annotations: Type.Optional(
    Type.Boolean({ description: 'Whether what the server says of its tools (read-only, idempotent) is believed' }),
  ),
  idempotent_tools: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 128 }), {
      maxItems: 1000,
      description: 'Tools that may run twice: only these are tried again when a call breaks off',
    }),
  ),
  timeouts: Type.Optional(
    Type.Object(
      {
        connect: Type.Optional(seconds(600, 'Until the server has introduced itself')),
        call: Type.Optional(seconds(3_600, 'Of a call without an answer or news of its progress')),
        total: Type.Optional(seconds(86_400, 'Of a call altogether')),
      },
      closed,
    ),
  ),
}

const BuiltinSchema = Type.Union([Type.Literal('calculator'), Type.Literal('search')], {
  description: 'A server that comes with muxi and runs on its own runtime',
})
const env = Type.Optional(Type.Record(NameSchema, Type.String({ maxLength: 8192 }), { ...closed, maxProperties: 100 }))

/** Only for servers that are programs. */
const idle_stop = Type.Optional(
  Type.Union([seconds(86_400, 'Without a call'), Type.Literal('never')], {
    description:
      'When its program is stopped: after so many seconds without a call, 600 when left out. It is started again when it is needed; with `never` it is started at once and kept running',
  }),
)

const OAuthSchema = Type.Object(
  {
    client_id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 2048,
        description: 'As muxi is known to the authorization server; registered by itself when left out',
      }),
    ),
    client_secret: Type.Optional(SecretSchema),
    scopes: Type.Optional(
      Type.Array(
        Type.String({ pattern: '^[\\x21\\x23-\\x5B\\x5D-\\x7E]{1,256}$', description: 'a scope, without spaces' }),
        {
          maxItems: 64,
          description: 'Asked for in place of those that the server describes; what it demands is asked for besides',
        },
      ),
    ),
    issuer: Type.Optional(HttpUrlSchema),
  },
  closed,
)

/** An MCP server: by URL, a program, or a built-in one. */
export const McpServerSchema = Type.Union(
  [
    Type.Object(
      {
        ...mcpFields,
        url: HttpUrlSchema,
        transport: Type.Optional(Type.Union([Type.Literal('auto'), Type.Literal('http'), Type.Literal('sse')])),
        oauth: Type.Optional(OAuthSchema),
      },
      closed,
    ),
    Type.Object(
      {
        ...mcpFields,
        command: Type.String({ minLength: 1, maxLength: 4096 }),
        args: Type.Optional(Type.Array(Type.String({ maxLength: 4096 }), { maxItems: 128 })),
        env,
        idle_stop,
      },
      closed,
    ),
    Type.Object({ ...mcpFields, builtin: BuiltinSchema, env, idle_stop }, closed),
  ],
  {
    examples: [{ name: 'weather', url: 'https://weather.example.org/mcp', credentials: { Authorization: 'Bearer …' } }],
  },
)

export type McpServer = Static<typeof McpServerSchema>
