// The activities, made from what they use: the worker registers these, workflows know their types.
import type { BlobStore } from '../db/blobs.ts'
import type { EventLog } from '../db/event-log.ts'
import type { Db } from '../db/schema.ts'
import type { SecretBox } from '../db/secret-box.ts'
import type { StopRegistry } from '../db/stops.ts'
import type { VectorStore } from '../db/vectors/vector-store.ts'
import type { Embedder } from '../providers/embedder.ts'
import type { ModelRegistry } from '../providers/registry.ts'
import { ingestActivities } from './ingest.ts'
import { modelCallActivities } from './model-call.ts'
import { recallActivities } from './recall.ts'
import { toolCallActivities } from './tool-call.ts'
import type { Tool } from './tool.ts'
import { turnActivities } from './turn.ts'

export interface ActivityResources {
  db: Db
  events: EventLog
  blobs: BlobStore
  box: SecretBox
  stops: StopRegistry
  vectors: VectorStore
  models: ModelRegistry
  embedder: Embedder
  tools: readonly Tool[]
  limits: { steps_per_turn: number; turn_seconds: number; tokens_per_turn: number }
}

export function createActivities(resources: ActivityResources) {
  return {
    ...turnActivities(resources),
    ...modelCallActivities(resources),
    ...toolCallActivities(resources),
    ...recallActivities(resources),
    ...ingestActivities(resources),
  }
}

export type TurnActivities = ReturnType<typeof createActivities>
