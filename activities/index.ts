// The activities, made from their dependencies: the worker registers them, workflows import their types.
import { describeActivities } from './describe-image.ts'
import { ingestActivities } from './ingest.ts'
import { mcpRouteActivities } from './mcp-call.ts'
import { modelCallActivities } from './model-call.ts'
import type { ActivityResources } from './resources.ts'
import { summaryActivities } from './summarize.ts'
import { toolCallActivities } from './tool-call.ts'
import { transcribeActivities } from './transcribe.ts'
import { turnActivities } from './turn.ts'
import type { TurnResources } from './turn-resources.ts'

export function createActivities(resources: ActivityResources & TurnResources) {
  return {
    ...turnActivities(resources),
    ...modelCallActivities(resources),
    ...toolCallActivities(resources),
    ...mcpRouteActivities(resources),
    ...ingestActivities(resources),
    ...describeActivities(resources),
    ...transcribeActivities(resources),
    ...summaryActivities(resources),
  }
}

export type TurnActivities = ReturnType<typeof createActivities>
