// GET /metrics, for Prometheus.
import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { authenticated } from '../plugin.ts'
import { Content, replies } from '../replies.ts'
import type { ApiContext } from '../services/context.ts'
import { checkParts } from '../services/readiness.ts'

const TEXT = new Content('Metrics in the text format of Prometheus', {
  'text/plain': Type.String({ examples: ['muxi_streams_open{kind="sse"} 2\n'] }),
})

export function metricsRoutes(context: ApiContext) {
  return new Elysia({ tags: ['system'] }).use(authenticated(context)).get(
    '/metrics',
    async () => {
      const { metrics, storage, log } = context
      const text = await metrics.text({ storage, log, ...(await checkParts(context)) })
      return new Response(text, { headers: { 'content-type': metrics.contentType } })
    },
    {
      ...replies({ 200: TEXT }),
      scope: 'read',
      detail: { summary: 'What this process counts and measures, for Prometheus' },
    },
  )
}
