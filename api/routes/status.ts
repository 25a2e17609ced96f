// What an operator looks at first: the process, and the models as it sees them.
import { Elysia } from 'elysia'
import { SystemStatusSchema } from '../../contracts/schemas/system.ts'
import { countAgents } from '../../db/queries/agents.ts'
import { authenticated } from '../plugin.ts'
import { replies } from '../replies.ts'
import { embeddingState } from '../services/reembed.ts'
import { checkParts } from '../services/readiness.ts'
import type { ApiContext } from '../services/context.ts'

export function statusRoutes(context: ApiContext, version: string) {
  return new Elysia({ prefix: '/system', tags: ['system'] }).use(authenticated(context)).get(
    '/status',
    async () => {
      const { checks, workers } = await checkParts(context)
      const models = context.modelStates()
      const isThere = checks.database === 'ok'
      const embedding = isThere ? await embeddingState(context) : undefined
      const isHealthy =
        Object.values(checks).every((state) => state === 'ok') &&
        embedding?.state !== 'words_only' &&
        Object.values(models).every(({ state }) => state === 'closed')
      return {
        status: isHealthy ? ('healthy' as const) : ('degraded' as const),
        version,
        uptime_seconds: Math.floor(process.uptime()),
        active_agents: isThere ? await countAgents(context.storage.db) : null,
        active_connections: context.openStreams.count,
        memory_usage_mb: Math.round(process.memoryUsage.rss() / 2 ** 20),
        database_status: checks.database,
        temporal_status: checks.temporal,
        workers: workers ?? null,
        embedding,
        models,
      }
    },
    {
      ...replies({ 200: SystemStatusSchema }),
      scope: 'read',
      detail: { summary: 'State of this process, and of the models that it has called' },
    },
  )
}
