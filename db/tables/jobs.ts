// Ingestion jobs, and what is kept of their progress.
import type { JobKind, JobStage, JobStatus } from '../../contracts/job.ts'

export interface JobsTable {
  id: string
  kind: JobKind
  status: JobStatus
  user_id: string
  key_id: string | null
  file_id: string
  /** Copied from the file, which may be deleted after the job. */
  name: string
  sha256: string
  /** The agent of the knowledge or conversation; without one nothing is indexed. */
  agent_id: string | null
  knowledge_id: string | null
  conversation_id: string | null
  /** The turn that it belongs to. */
  turn_id: string | null
  document_id: string
  /** The generation of its chunks, hidden until published; increases within a document. */
  generation: number
  /** The collection of its chunks, set when the first are written. */
  collection: string | null
  options: string
  /** Of an image or recording: metadata and derived files, once prepared. */
  media: string | null
  /** Increases with every retry; writes of an older run are refused. */
  run: number
  run_id: string | null
  pages: number | null
  stage: JobStage
  done: number
  total: number
  stage_started_at: string | null
  cancel_requested_at: string | null
  result: string | null
  error: string | null
  created_at: string
  started_at: string | null
  finished_at: string | null
}

/** A range of pages of a job's document, or a segment of its recording, read once. */
export interface JobBatchesTable {
  job_id: string
  batch: number
  from_page: number
  to_page: number
  /** Of a recording, in milliseconds. */
  from_ms: number | null
  to_ms: number | null
  /** Number of parse attempts. */
  parses: number
  /** JSON array of `{page, text}`, when parsed. */
  pages: string | null
  /** Number of its chunks, once all are indexed. */
  chunks: number | null
}

export interface OcrPagesTable {
  job_id: string
  /** In an archive or a mail: the name of the file within; otherwise empty. */
  part: string
  page: number
  /** Number of attempts. */
  attempts: number
  /** JSON of the OCR result; null until it is read. */
  read: string | null
}

/**
 * A part of a job's summary: a range of its text at level 1, several parts of the previous level at the others, the whole at
 * the last.
 */
export interface JobSummariesTable {
  job_id: string
  level: number
  part: number
  /** At level 1: the batches of the range, and its position in their text. */
  from_batch: number | null
  to_batch: number | null
  from_char: number | null
  to_char: number | null
  text: string | null
  /** Of the whole: the number of its indexed chunks. */
  chunks: number | null
}
