// The tool `echo`.
import * as z from 'zod'
import type { Tool } from '../tool.ts'

export const echoTool: Tool = {
  name: 'echo',
  sample: {
    // <sample>
    text: 'text',
    // </sample>
  },
  register(server, _config) {
    server.registerTool(
      'echo',
      {
        description: 'Says what it is told.',
        inputSchema: {
          // <input>
          text: z.string().max(10_000).describe('text'),
          // </input>
        },
        // Set to true only if it is: clients use it to decide whether to ask their user first, and whether to retry.
        annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
      },
      async (given, { signal }) => {
        // Implement the tool here. Credentials are in `config.credentials`; pass `signal` on to slow operations.
        signal.throwIfAborted()
        return { content: [{ type: 'text', text: JSON.stringify(given) }] }
      },
    )
  },
}
