// The chunks that a search may find: of published documents, perhaps of one source of knowledge only.
import { sql } from 'kysely'
import { JOIN_PUBLISHED } from './documents.ts'
import type { VectorQuery } from './store.ts'

/** A visible chunk. */
export interface VisibleChunk {
  id: number
  document_id: string
  page: number
  heading: string | null
  content: string
  knowledge_id: string | null
}

/** Joins chunks with their documents, where these are published. */
export const VISIBLE = sql.raw(JOIN_PUBLISHED)

export type Narrowed = Pick<VectorQuery, 'knowledge_id'>

/** A condition that follows others. */
export function narrowedTo({ knowledge_id }: Narrowed) {
  return knowledge_id === undefined ? sql`` : sql`and documents.knowledge_id = ${knowledge_id}`
}
