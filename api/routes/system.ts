// Health and readiness, for operators, load balancers and orchestrators.
import { Elysia } from 'elysia'
import { MuxiError } from '../../contracts/failures.ts'
import { HealthSchema, ReadinessSchema } from '../../contracts/schemas/system.ts'
import { replies } from '../replies.ts'
import { checkReadiness } from '../services/readiness.ts'
import type { ApiContext } from '../services/context.ts'

export function systemRoutes(context: ApiContext) {
  return new Elysia({ tags: ['system'] })
    .get('/healthz', () => ({ status: 'ok' as const }), {
      ...replies({ 200: HealthSchema }),
      detail: { summary: 'The process is up' },
    })
    .get(
      '/readyz',
      async () => {
        const checks = await checkReadiness(context)
        const wrong = Object.entries(checks).filter(([, state]) => state !== 'ok')
        if (wrong.length === 0) return { status: 'ready' as const, ...checks }
        const words = wrong.map(([name, state]) => `${name} ${state}`).join(', ')
        throw new MuxiError('unavailable', `Not ready: ${words}`, { retryAfter: 2, details: checks })
      },
      {
        ...replies({ 200: ReadinessSchema }, 'unavailable'),
        detail: { summary: 'Temporal, the database and a worker are reachable, and the disk is not full' },
      },
    )
}
