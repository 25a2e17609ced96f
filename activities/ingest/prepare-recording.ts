// Recordings, on the task queue for CPU-bound work: decoded, normalized, and cut at their silences.
import { createReadStream } from 'node:fs'
import type { JobRef } from '../../contracts/job.ts'
import { jobOptions } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { insertFile } from '../../db/queries/files.ts'
import { advance } from '../../db/queries/job-progress.ts'
import { planSegments } from '../../db/queries/job-batches.ts'
import { setMedia } from '../../db/queries/jobs.ts'
import { prepareAudio, segmentsOf } from '../../media/audio/audio.ts'
import type { AudioLimits } from '../../media/audio/ffmpeg.ts'
import { inScratch } from '../../media/process/scratch.ts'
import { ingestionStep } from './ingestion-step.ts'
import { readMedia } from './media-rows.ts'
import type { JobMedia } from '../../db/job-columns.ts'
import type { ActivityResources } from '../resources.ts'

type Resources = Pick<ActivityResources, 'db' | 'events' | 'blobs' | 'stops'> & { audio_limits: AudioLimits }

export function recordingActivities(resources: Resources) {
  const { db, events, blobs, audio_limits: limits } = resources
  return {
    /** Prepares the audio and stores the list of its segments, unless that is done already. */
    async prepareRecording(ref: JobRef): Promise<{ segments: number; seconds: number }> {
      return ingestionStep(resources, ref, { name: 'prepare', input: {} }, async (job, signal) => {
        const before = readMedia(job)
        if (before) return { segments: job.pages ?? 0, seconds: Math.round((before.result.duration_ms ?? 0) / 1_000) }
        const { denoise = false } = parseColumn(jobOptions, job.options, job.id)
        const { facts, notices, sha256, size, spans } = await inScratch(async (folder) => {
          const prepared = await blobs.withFile(
            job.user_id,
            job.sha256,
            (path) => prepareAudio(path, folder, { signal, limits, denoise }),
            signal,
          )
          const received = await blobs.receive(createReadStream(prepared.path))
          await received.keep(job.user_id)
          const spans = segmentsOf(prepared.silences, prepared.facts.duration_ms)
          return {
            facts: prepared.facts,
            notices: prepared.notices,
            sha256: received.sha256,
            size: received.size,
            spans,
          }
        })
        const { duration_ms, ...metadata } = facts
        const added = await db.transaction().execute(async (tx) => {
          const { id } = await insertFile(tx, {
            user_id: job.user_id,
            key_id: job.key_id,
            name: `${job.name} (prepared)`,
            type: 'audio/wav',
            size,
            sha256,
            made_of: job.file_id,
          })
          const sound_ms = spans.reduce((sum, { from_ms, to_ms }) => sum + to_ms - from_ms, 0)
          const media: JobMedia = {
            metadata,
            result: { duration_ms, sound_ms, ...(notices.length > 0 && { notices }) },
            made: [{ name: 'sound', file_id: id, sha256, media_type: 'audio/wav' }],
          }
          await setMedia(tx, job.id, media)
          await planSegments(tx, job.id, spans)
          return advance(tx, job, 'preparing', '')
        })
        events.publish(job.id, added)
        return { segments: spans.length, seconds: Math.round(duration_ms / 1_000) }
      })
    },
  }
}
