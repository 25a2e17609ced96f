// What services of agents use, without a server.
import { pino } from 'pino'
import type { ApiContext } from '../../api/services/context.ts'
import type { TestStorage } from './dialects.ts'
import { indexOf } from './search-index.ts'

/** What the service uses, with an engine that is away: starting workflows is left to the sweeper. */
export function agentContext(storage: TestStorage, more: Partial<ApiContext> = {}): ApiContext {
  const away = () => Promise.reject(new Error('Temporal is away'))
  const context: Partial<ApiContext> = {
    storage,
    vectors: storage.vectors,
    index: indexOf(storage),
    client: { withDeadline: away, workflow: { start: away } } as unknown as ApiContext['client'],
    providers: { openai: {}, anthropic: {}, gemini: {}, xai: {} },
    abilityFaults: () => [],
    checkUrl: () => Promise.resolve(),
    apiEnv: {},
    limits: { upload_bytes: 2 ** 20, knowledge_files: 10 } as ApiContext['limits'],
    knowledgeDirs: [],
    mcp: { commands: [], allow_private_urls: false } as unknown as ApiContext['mcp'],
    log: pino({ level: 'silent' }),
    ...more,
  }
  return context as ApiContext
}
