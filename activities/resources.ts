// The common dependencies of activities.
import type { Blobs } from '../db/blobs.ts'
import type { EventLog } from '../db/event-log.ts'
import type { Db } from '../db/schema.ts'
import type { SecretBox } from '../db/secret-box.ts'
import type { StopRegistry } from '../db/stops.ts'
import type { HiddenVectors } from '../vectors/hidden-vectors.ts'
import type { SearchIndex } from '../vectors/search-index.ts'
import type { VectorStore } from '../vectors/store.ts'
import type { ModelRegistry } from '../providers/registry.ts'
import type { Transcriber } from '../providers/transcriber.ts'
import type { Tool } from './tools/tool.ts'

export interface ActivityResources {
  db: Db
  events: EventLog
  blobs: Blobs
  box: SecretBox
  stops: StopRegistry
  vectors: VectorStore
  models: ModelRegistry
  /** The vectors with their embedder. */
  index: SearchIndex
  hidden: HiddenVectors
  /** Returns the current transcriber; a local server may start and stop at any time. */
  findTranscriber: () => Promise<Transcriber | undefined>
  tools: readonly Tool[]
  /** Longest tool result that the model gets; the rest is dropped, or stored as a file. */
  tool_output_characters: number
}
