// Speech to text as a job that the client waits for, and text to speech.
import { Value } from '@sinclair/typebox/value'
import type { Count } from '../../contracts/billed.ts'
import { shorten } from '../../contracts/shorten.ts'
import { MuxiError, wrongField, type ErrorBody } from '../../contracts/failures.ts'
import { type SpeechRequest, TranscriptionFieldsSchema } from '../../contracts/schemas/audio.ts'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import { jobError, jobResult } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import type { Received } from '../../db/blobs.ts'
import { sendMetered } from '../../db/metered-request.ts'
import { insertFile } from '../../db/queries/files.ts'
import { findJob, insertJob } from '../../db/queries/jobs.ts'
import { readText } from '../../db/queries/job-batches.ts'
import type { Principal } from '../../db/queries/keys.ts'
import type { Db, JobsTable } from '../../db/schema.ts'
import { readForm, type FilePart } from '../multipart.ts'
import { actingUser } from './access.ts'
import { mediaTypeOf } from '../../media/kind/media-type.ts'
import { jobKindOf } from './attachments.ts'
import type { ApiContext } from './context.ts'
import { checkQuota } from './files.ts'
import { beginJob, viewJob, waitForJob } from './jobs.ts'
import { toUpstreamError } from './upstream.ts'

/** Longest wait for the job, in milliseconds; after it the response is the job. */
const WAIT_MS = 120_000

export interface TranscribeOptions {
  /** The form is OpenAI's, of which the fields that are not known are ignored; the transcript is waited for however long it takes. */
  lenient?: boolean
}

/** Of OpenAI's fields, those that are read. */
const OPENAI_FIELDS = ['user', 'language', 'response_format', 'stream']
/** Formats that can be streamed; with the others `stream` is ignored, as OpenAI does with models that cannot stream. */
const STREAMED = ['json', 'text']

/**
 * Stores a recording, starts its transcription, and waits.
 * @throws MuxiError bad_request, payload_too_large, unsupported_media_type, and the job's failure
 */
export async function transcribe(
  context: ApiContext,
  principal: Principal,
  request: Request,
  { lenient = false }: TranscribeOptions = {},
): Promise<Response> {
  const { storage, limits, closing } = context
  let received: Received | undefined
  let job: JobsTable
  let format: string
  let isStreamed = false
  try {
    const receive = async (bytes: AsyncIterable<Uint8Array>, part: FilePart) => {
      received = await storage.blobs.receive(bytes)
      return { ...part, received }
    }
    const { fields, file } = await readForm(request, limits.upload_bytes, receive, lenient ? OPENAI_FIELDS : undefined)
    // OpenAI's clients name a model; muxi's server chooses it.
    const { model: _, ...others } = fields
    const known = lenient ? openaiFields(fields) : others
    const wrong = [...Value.Errors(TranscriptionFieldsSchema, known)][0]
    if (wrong)
      throw wrongField(
        'read the request',
        wrong.path.slice(1),
        String(wrong.schema.description ?? 'left out: it is not known'),
      )
    const { user_id, language, denoise, response_format = 'json' } = known
    if (user_id !== undefined && !Value.Check(UserIdSchema, user_id))
      throw wrongField('read the request', lenient ? 'user' : 'user_id', UserIdSchema.description ?? '')
    format = response_format
    isStreamed = lenient && /^(true|1)$/i.test(fields['stream'] ?? '') && STREAMED.includes(format)
    const owner = actingUser(principal, user_id)
    const { name, received: kept } = file.value
    const type = mediaTypeOf(kept.head, name)
    if (jobKindOf(type) !== 'audio')
      throw new MuxiError(
        'unsupported_media_type',
        `Cannot transcribe '${shorten(name)}': it must be a recording or a video`,
      )
    await checkQuota(context, owner, kept.size)
    await kept.keep(owner)
    const { key_id } = principal
    const { size, sha256 } = kept
    const options = { ...(language !== undefined && { language }), ...(denoise === 'true' && { denoise: true }) }
    job = await storage.db.transaction().execute(async (tx) => {
      const row = await insertFile(tx, { user_id: owner, key_id, name, type, size, sha256 })
      return insertJob(tx, { kind: 'audio', file: row, key_id, options })
    })
  } catch (error) {
    await received?.discard()
    throw error
  }
  await beginJob(context, job)
  const signal = AbortSignal.any([request.signal, closing, ...(lenient ? [] : [AbortSignal.timeout(WAIT_MS)])])
  if (!(await waitForJob(context, job.id, signal))) return Response.json(viewJob(context, job), { status: 202 })
  return answer(context, (await findJob(storage.db, job.id))!, isStreamed ? 'stream' : format)
}

/** Of OpenAI's fields, those that are known here. */
function openaiFields({ user, language, response_format }: Record<string, string>): Record<string, string> {
  return {
    ...(user !== undefined && { user_id: user }),
    // Of a tag such as en-US, the language.
    ...(language !== undefined && { language: language.split(/[-_]/)[0]!.toLowerCase() }),
    ...(response_format !== undefined && { response_format }),
  }
}

async function answer({ storage: { db } }: ApiContext, job: JobsTable, format: string): Promise<Response> {
  if (job.status !== 'completed') {
    const cancelled: ErrorBody = { code: 'conflict', message: 'The job was cancelled' }
    const { code, message, details } = parseColumn(jobError, job.error, job.id) ?? cancelled
    throw new MuxiError(code, message, { details: { ...details, job_id: job.id } })
  }
  const segments = await readSegments(db, job.id)
  const text = segments.map((segment) => segment.text).join(' ')
  switch (format) {
    case 'stream':
      return plain(eventsOf(segments, text), 'text/event-stream')
    case 'text':
      return plain(text, 'text/plain')
    case 'srt':
      return plain(
        segments.map((each, index) => `${index + 1}\n${span(each, ',')}\n${each.text}\n`).join('\n'),
        'text/plain',
      )
    case 'vtt':
      return plain(`WEBVTT\n\n${segments.map((each) => `${span(each, '.')}\n${each.text}\n`).join('\n')}`, 'text/vtt')
    case 'verbose_json': {
      const duration_ms = parseColumn(jobResult, job.result, job.id)?.duration_ms ?? 0
      const language = segments.find((segment) => segment.language !== undefined)?.language
      const timed = segments.map(({ from_ms, to_ms, text: spoken }, id) => ({
        id,
        start: from_ms / 1_000,
        end: to_ms / 1_000,
        text: spoken,
      }))
      return Response.json({
        task: 'transcribe',
        language,
        duration: duration_ms / 1_000,
        text,
        segments: timed,
        job_id: job.id,
      })
    }
    default:
      return Response.json({ text, job_id: job.id })
  }
}

/** OpenAI's events of a transcript: the segments, then the whole text. */
function eventsOf(segments: readonly Segment[], text: string): string {
  const deltas = segments.map((segment, index) => ({
    type: 'transcript.text.delta',
    delta: index === 0 ? segment.text : ` ${segment.text}`,
  }))
  const events = [...deltas, { type: 'transcript.text.done', text }]
  return events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')
}

interface Segment {
  from_ms: number
  to_ms: number
  text: string
  language?: string
}

/** The transcript, by the model's sentences if it returned their times, otherwise by the segments. */
async function readSegments(db: Db, jobId: string): Promise<Segment[]> {
  const segments: Segment[] = []
  for await (const pages of readText(db, jobId)) {
    for (const page of pages) {
      const { text, from_ms = 0, to_ms = 0, parts = [], language } = page
      const whole = { from_ms, to_ms, text: text.replace(/^## .*\n+/, '') }
      const timed = parts.length > 0 ? parts : [whole]
      segments.push(
        ...timed.filter((part) => part.text !== '').map((part) => ({ ...part, ...(language && { language }) })),
      )
    }
  }
  return segments
}

function span({ from_ms, to_ms }: Segment, point: string): string {
  return `${stamp(from_ms, point)} --> ${stamp(to_ms, point)}`
}

function stamp(ms: number, point: string): string {
  return new Date(ms).toISOString().slice(11, 23).replace('.', point)
}

function plain(text: string, type: string): Response {
  return new Response(text, {
    headers: { 'content-type': `${type}; charset=utf-8`, 'x-content-type-options': 'nosniff' },
  })
}

const TYPES = {
  mp3: 'audio/mpeg',
  opus: 'audio/ogg',
  aac: 'audio/aac',
  flac: 'audio/flac',
  wav: 'audio/wav',
  pcm: 'audio/pcm',
} as const

/**
 * @param requestId names the request in its usage row
 * @throws MuxiError, `budget_exceeded` when a budget leaves no room
 */
export async function speak(
  { speaker, closing, log, storage: { db } }: ApiContext,
  principal: Principal,
  request: SpeechRequest,
  requestId: string,
  signal: AbortSignal,
): Promise<Response> {
  const { input, voice = 'alloy', format = 'mp3', speed = 1, instructions } = request
  const owner = { key_id: principal.key_id, user_id: actingUser(principal, undefined), agent_id: null }
  const either = AbortSignal.any([signal, closing])
  const synthesize = (count?: Count) =>
    speaker.speak({ text: input, voice, format, speed, instructions }, either, count)
  try {
    const { billed } = speaker
    const sound = billed
      ? await sendMetered(
          db,
          { kind: 'speech', stream_id: requestId, owner, billed, estimate: billed.estimate(input.length) },
          synthesize,
        )
      : await synthesize()
    return new Response(sound as Uint8Array<ArrayBuffer>, {
      headers: { 'content-type': TYPES[format], 'content-length': String(sound.byteLength) },
    })
  } catch (error) {
    if (error instanceof MuxiError || signal.aborted) throw error
    log.warn({ err: error, speaker: speaker.name }, 'a text could not be spoken')
    if ((error as { status?: unknown }).status === 400) {
      const expected = `one that ${speaker.name} has, as must 'format' and 'speed'`
      throw wrongField('read the request', 'voice', expected)
    }
    const message = `The text could not be spoken by ${speaker.name}`
    const upstream = toUpstreamError(message, error)
    throw upstream instanceof MuxiError ? upstream : new MuxiError('upstream_error', message, { cause: error })
  }
}
