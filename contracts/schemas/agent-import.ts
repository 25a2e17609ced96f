// The body of POST /agents/import.
import { Type } from '@sinclair/typebox'
import { AgentSchema } from './agent.ts'

const closed = { additionalProperties: false }

/** An agent as in an agent file, or the path of such a file on the server. */
export const AgentImportSchema = Type.Union(
  [
    Type.Object(
      {
        config_path: Type.String({ minLength: 1, maxLength: 4096, description: 'A file below MUXI_AGENTS_DIR' }),
      },
      closed,
    ),
    Type.Object({ config: AgentSchema }, closed),
  ],
  {
    examples: [
      {
        config: {
          name: 'helper',
          description: 'Answers questions about tea',
          system_message: 'You answer questions about tea.',
        },
      },
    ],
  },
)
