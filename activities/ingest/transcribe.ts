// Transcribes the segments of a recording, each once.
import type { BatchRef } from '../../contracts/job.ts'
import { jobOptions } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { sendMetered } from '../../db/metered-request.ts'
import { advance } from '../../db/queries/job-progress.ts'
import { startParse, storeParsed } from '../../db/queries/job-batches.ts'
import { rangeOfSegment, segmentAsWav } from '../../media/audio/audio.ts'
import { MediaFailure } from '../../media/failure.ts'
import type { Transcript } from '../../providers/transcriber.ts'
import { ingestionStep } from './ingestion-step.ts'
import { findMade, readMedia } from './media-rows.ts'
import type { ActivityResources } from '../resources.ts'

const NO_TRANSCRIBER =
  'Nothing here turns speech into text: set MUXI_TRANSCRIPTION (openai:whisper-1 or the address of a server; where OPENAI_BASE_URL is ' +
  'set, OPENAI_API_KEY alone does not choose one), OPENAI_API_KEY or DEEPGRAM_API_KEY, or start a whisper server on this machine. ' +
  'The prepared recording is kept: try the job again then'

type Resources = Pick<ActivityResources, 'db' | 'events' | 'blobs' | 'stops' | 'findTranscriber'>

export function transcribeActivities(resources: Resources) {
  const { db, events, blobs, findTranscriber } = resources
  return {
    /** Transcribes a segment, unless that is done already. */
    async transcribeSegment({ batch, ...ref }: BatchRef): Promise<{ batch: number; transcribed: boolean }> {
      return ingestionStep(
        resources,
        ref,
        { name: 'transcribe', input: { batch }, paid: true },
        async (job, signal) => {
          const transcriber = await findTranscriber()
          if (!transcriber) throw new MediaFailure('no_transcriber', NO_TRANSCRIBER)
          const begun = await db.transaction().execute((tx) => startParse(tx, job.id, batch))
          if (!begun) return { batch, transcribed: false }
          const sound = findMade(readMedia(job), 'sound')
          if (!sound || begun.from_ms === null || begun.to_ms === null) throw new Error(`${job.id} is not prepared`)
          const span = { from_ms: begun.from_ms, to_ms: begun.to_ms }
          const wav = segmentAsWav(await blobs.get(job.user_id, sound.sha256, rangeOfSegment(span)))
          const { language } = parseColumn(jobOptions, job.options, job.id)
          const { billed } = transcriber
          const stream_id = job.turn_id ?? job.id
          const estimate = billed.estimate((span.to_ms - span.from_ms) / 1_000)
          const transcript = await sendMetered(
            db,
            { kind: 'transcription', stream_id, owner: job, billed, estimate },
            (count) => transcriber.transcribe({ wav, language }, signal, count),
          )
          const progressed = await db.transaction().execute(async (tx) => {
            await storeParsed(tx, job.id, batch, [toPage(batch, span, transcript)])
            return advance(tx, job, 'transcribing', String(batch))
          })
          events.publish(job.id, progressed)
          return { batch, transcribed: true, by: transcriber.name }
        },
      )
    },
  }
}

/** A segment as a page whose heading is its time range, by which it is found and cited. */
function toPage(page: number, span: { from_ms: number; to_ms: number }, { text, language, parts }: Transcript) {
  const spoken = parts.length > 0 ? parts.map((part) => part.text).join('\n') : text
  return {
    page,
    text: text === '' ? '' : `## ${clock(span.from_ms)}–${clock(span.to_ms)}\n\n${spoken}`,
    ...span,
    ...(language !== undefined && { language }),
    parts: parts.map((part) => ({
      text: part.text,
      from_ms: span.from_ms + part.from_ms,
      to_ms: Math.min(span.to_ms, span.from_ms + part.to_ms),
    })),
  }
}

/** `01:02:03`, from milliseconds. */
function clock(ms: number): string {
  const seconds = Math.floor(ms / 1_000)
  return [seconds / 3_600, (seconds / 60) % 60, seconds % 60]
    .map((part) => String(Math.floor(part)).padStart(2, '0'))
    .join(':')
}
