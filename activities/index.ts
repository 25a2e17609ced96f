// The activities, made from their dependencies: the worker registers them, workflows import their types.
import { agentCallActivities } from './tools/agent-calls.ts'
import { describeActivities } from './ingest/describe-image.ts'
import { indexAndPublishActivities } from './ingest/index-and-publish.ts'
import { mcpRouteActivities } from './mcp/route-call.ts'
import { memoryActivities } from './memory/write-memories.ts'
import { modelCallActivities } from './turn/model-call.ts'
import type { ActivityResources } from './resources.ts'
import { routeTurnActivities } from './turn/route-turn.ts'
import { reembedActivities } from './ingest/reembed.ts'
import { summaryActivities } from './ingest/summarize.ts'
import { toolCallActivities } from './tools/tool-call.ts'
import { transcribeActivities } from './ingest/transcribe.ts'
import { claimAndFinishActivities } from './turn/claim-and-finish.ts'
import type { TurnResources } from './turn/turn-resources.ts'

export function createActivities(resources: ActivityResources & TurnResources) {
  return {
    ...claimAndFinishActivities(resources),
    ...routeTurnActivities(resources),
    ...modelCallActivities(resources),
    ...toolCallActivities(resources),
    ...agentCallActivities(resources),
    ...mcpRouteActivities(resources),
    ...indexAndPublishActivities(resources),
    ...describeActivities(resources),
    ...transcribeActivities(resources),
    ...summaryActivities(resources),
    ...memoryActivities(resources),
    ...reembedActivities(resources),
  }
}

export type TurnActivities = ReturnType<typeof createActivities>
