// What operators and load balancers read: health, readiness, and the state of a process.
import { Type } from '@sinclair/typebox'
import { CountSchema, oneOf, orNull, textOf } from './fields.ts'
import { JobIdSchema } from './jobs.ts'

const closed = { additionalProperties: false }

export const HealthSchema = Type.Object({ status: Type.Literal('ok') }, closed)

export const ReadinessSchema = Type.Object(
  {
    status: Type.Literal('ready'),
    database: textOf('ok'),
    disk: textOf('ok'),
    temporal: textOf('ok'),
    worker: textOf('ok'),
  },
  closed,
)

const ModelStateSchema = Type.Object(
  {
    state: oneOf(['closed', 'open', 'half_open'], 'Of its circuit: `closed` is asked, `open` is not'),
    failures: CountSchema,
    first_token_ms: Type.Optional(Type.Number({ minimum: 0 })),
  },
  closed,
)

export const SystemStatusSchema = Type.Object(
  {
    status: oneOf(['healthy', 'degraded']),
    version: textOf('0.2.0'),
    uptime_seconds: CountSchema,
    active_agents: orNull(CountSchema),
    active_connections: Type.Integer({ minimum: 0, description: 'Streams and WebSockets of this process' }),
    memory_usage_mb: CountSchema,
    database_status: textOf('ok'),
    temporal_status: textOf('ok'),
    workers: orNull(CountSchema),
    embedding: Type.Optional(
      Type.Object(
        {
          model: textOf('words'),
          dimension: CountSchema,
          configured: textOf('words', 'The model of the settings'),
          state: oneOf(['current', 'outdated', 'words_only']),
          job_id: Type.Optional(JobIdSchema),
        },
        closed,
      ),
    ),
    models: Type.Record(Type.String(), ModelStateSchema, {
      description: 'By `provider:model`',
      examples: [{ 'openai:gpt-4.1-mini': { state: 'closed', failures: 0, first_token_ms: 412 } }],
    }),
  },
  { ...closed, $id: 'SystemStatus' },
)
