// The activities on the task queue for CPU-bound work: documents are parsed, images and recordings prepared.
import { parseActivities } from './parse.ts'
import { pictureActivities } from './prepare-image.ts'
import { recordingActivities } from './prepare-recording.ts'

type Resources = Parameters<typeof parseActivities>[0] &
  Parameters<typeof pictureActivities>[0] &
  Parameters<typeof recordingActivities>[0]

export function mediaActivities(resources: Resources) {
  return { ...parseActivities(resources), ...pictureActivities(resources), ...recordingActivities(resources) }
}

export type MediaActivities = ReturnType<typeof mediaActivities>
