// The JSON columns of jobs and of what they extract.
import { Type } from '@sinclair/typebox'
import type { ErrorBody } from '../contracts/failures.ts'
import type { JobResult, ReembedResult } from '../contracts/events.ts'
import type { JobOptions } from '../contracts/schemas/jobs.ts'
import type { Notice } from '../contracts/notices.ts'
import { errorBody, usage } from './columns.ts'
import { column } from './json-column.ts'

/** A span of a recording, in milliseconds, and what was said in it. */
export interface StoredSpan {
  from_ms: number
  to_ms: number
  text: string
}

/** A page of what was extracted from a file, or a segment of a recording. */
export interface StoredPage extends Partial<Pick<StoredSpan, 'from_ms' | 'to_ms'>> {
  page: number
  text: string
  /** What the page is called in its document: `Slide 3`. */
  label?: string
  notices?: Notice[]
  language?: string
  /** What was said in a segment, with times. */
  parts?: StoredSpan[]
}

/** What OCR read of a page. */
export interface StoredOcr {
  text: string
  confidence: number
  turned: number
  paragraphs: { confidence: number; box: number[] }[]
}

/** A file that was derived from an upload. */
export interface MadeFile {
  /** `thumbnail`, or for which models: `2048-15728640`. */
  name: string
  file_id: string
  sha256: string
  media_type: string
}

export interface ContainedFile {
  name: string
  kind: 'pdf' | 'image' | 'other'
  /** Its first page among all pages, and its number of pages. */
  from: number
  pages: number
}

export interface ContainedFiles {
  parts: ContainedFile[]
  /** Skipped files with the reason. */
  skipped: { name: string; reason: string }[]
}

/** The description of a prepared image or recording, or of the files within one. */
export interface JobMedia {
  /** Merged into the job's result. */
  result: Partial<JobResult>
  /** As extracted; private fields do not leave this row. */
  metadata: Record<string, unknown>
  made: MadeFile[]
  /** The parts of an archive or mail. */
  parts?: ContainedFiles
}

const text = Type.String()
const number = Type.Number()
const anyObject = Type.Record(Type.String(), Type.Unknown())
const notice = Type.Object({
  code: text,
  message: text,
  count: number,
  places: Type.Optional(Type.Array(text)),
  text: Type.Optional(text),
})
const result = Type.Object({
  document_id: text,
  pages: number,
  chunks: number,
  notices: Type.Optional(Type.Array(notice)),
  description: Type.Optional(text),
  duration_ms: Type.Optional(number),
  summary: Type.Optional(text),
  usage: Type.Optional(usage),
  reused_job_id: Type.Optional(text),
})
const reembedded = Type.Object({ model: text, dimension: number, chunks: number, refused: Type.Optional(number) })
const options = Type.Object({
  ocr: Type.Optional(text),
  languages: Type.Optional(Type.Array(text)),
  describe: Type.Optional(Type.Boolean()),
  summarize: Type.Optional(Type.Boolean()),
  denoise: Type.Optional(Type.Boolean()),
  language: Type.Optional(text),
})

export const jobOptions = column<JobOptions>('jobs', 'options', options)
export const jobResult = column<JobResult>('jobs', 'result', result)
export const reembedResult = column<ReembedResult>('jobs', 'result', reembedded)
export const jobError = column<ErrorBody>('jobs', 'error', errorBody)
const containedFiles = Type.Object({
  parts: Type.Array(
    Type.Object({
      name: text,
      kind: Type.Union([Type.Literal('pdf'), Type.Literal('image'), Type.Literal('other')]),
      from: number,
      pages: number,
    }),
  ),
  skipped: Type.Array(Type.Object({ name: text, reason: text })),
})
export const jobMedia = column<JobMedia>(
  'jobs',
  'media',
  Type.Object({
    result: Type.Partial(result),
    metadata: anyObject,
    made: Type.Array(Type.Object({ name: text, file_id: text, sha256: text, media_type: text })),
    parts: Type.Optional(containedFiles),
  }),
)
const span = { from_ms: number, to_ms: number }
export const batchPages = column<StoredPage[]>(
  'job_batches',
  'pages',
  Type.Array(
    Type.Object({
      page: number,
      text,
      label: Type.Optional(text),
      notices: Type.Optional(Type.Array(notice)),
      ...Type.Partial(Type.Object(span)).properties,
      language: Type.Optional(text),
      parts: Type.Optional(Type.Array(Type.Object({ ...span, text }))),
    }),
  ),
)
export const ocrRead = column<StoredOcr>(
  'ocr_pages',
  'read',
  Type.Object({
    text,
    confidence: number,
    turned: number,
    paragraphs: Type.Array(Type.Object({ confidence: number, box: Type.Array(number) })),
  }),
)
