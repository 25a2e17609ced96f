// What activities work with.
import type { Blobs } from '../db/blobs.ts'
import type { EventLog } from '../db/event-log.ts'
import type { StartableTurn } from '../db/queries/turn-queue.ts'
import type { Db } from '../db/schema.ts'
import type { SecretBox } from '../db/secret-box.ts'
import type { StopRegistry } from '../db/stops.ts'
import type { VectorStore } from '../db/vectors/vector-store.ts'
import type { Embedder } from '../providers/embedder.ts'
import type { ModelRegistry } from '../providers/registry.ts'
import type { Transcriber } from '../providers/transcriber.ts'
import type { HeadStarts } from './head-start.ts'
import type { PrepareStep } from './step-prompt.ts'
import type { Tool } from './tool.ts'

export interface ActivityResources {
  db: Db
  events: EventLog
  blobs: Blobs
  box: SecretBox
  stops: StopRegistry
  vectors: VectorStore
  models: ModelRegistry
  /** Prepares a step's model call. */
  prepareStep: PrepareStep
  /** Of the API in the same process; undefined where there is none. */
  headStarts: HeadStarts | undefined
  /** Starts the workflow of an active turn; one that has been started counts as success. */
  startTurn: (turn: StartableTurn) => Promise<void>
  embedder: Embedder
  /** Who turns speech into text now; a local server may come and go. */
  findTranscriber: () => Promise<Transcriber | undefined>
  tools: readonly Tool[]
  /** What a tool may tell the model; the rest of a longer answer is left out, or kept as a file. */
  tool_output_characters: number
}
