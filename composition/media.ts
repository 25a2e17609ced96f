// Maps the settings to the limits of images and recordings, and to the speech synthesizer.
import type { Settings } from '../config/settings.ts'
import type { Limits } from '../config/defaults.ts'
import { MuxiError, wrongField } from '../contracts/failures.ts'
import type { OwnModels } from '../contracts/schemas/own-models.ts'
import type { AudioLimits } from '../media/audio/ffmpeg.ts'
import { hasEspeak, speakOffline } from '../media/audio/espeak.ts'
import type { ImageLimits } from '../media/image/image.ts'
import { ProgramFailed } from '../media/process/limited-process.ts'
import { billedSpeech } from '../providers/billed-model.ts'
import { DEFAULT_MODELS } from '../providers/catalog.ts'
import type { Speaker } from '../providers/speaker.ts'
import { openaiSpeaker } from '../providers/speech-openai.ts'

const MB = 2 ** 20
/** Bytes per second of prepared audio. */
const BYTES_A_SECOND = 32_000
/** Texts that one process synthesizes concurrently. */
const SPEAKING = 2

export function imageLimits({ image_memory_mb, image_ms, image_pixels }: Limits): ImageLimits {
  return { memory_mb: image_memory_mb, time_ms: image_ms, output_bytes: 64 * MB, max_pixels: image_pixels }
}

export function audioLimits({ audio_memory_mb, audio_ms, audio_seconds }: Limits): AudioLimits {
  const output_bytes = audio_seconds * BYTES_A_SECOND + MB
  return { memory_mb: audio_memory_mb, time_ms: audio_ms, output_bytes, max_seconds: audio_seconds }
}

/** OpenAI's voice when its key is set and no other server is, else espeak-ng, unless the settings say which. */
export function createSpeaker({ providers, speech, limits }: Settings, own: OwnModels): Speaker {
  const { api_key, base_url } = providers.openai
  const model = speech?.startsWith('openai:') ? speech.slice('openai:'.length) : DEFAULT_MODELS.openai.speech
  const withOpenai = speech === undefined ? api_key !== undefined && base_url === undefined : speech !== 'espeak-ng'
  if (!withOpenai) return offlineSpeaker(audioLimits(limits))
  const billed = billedSpeech({ provider: 'openai', model }, base_url, own)
  return openaiSpeaker({ billed, api_key, base_url })
}

function offlineSpeaker(limits: AudioLimits): Speaker {
  let speaking = 0
  return {
    name: 'espeak-ng',
    async speak(request, signal) {
      if (!(await hasEspeak()))
        throw new MuxiError(
          'unavailable',
          'Nothing here speaks: set OPENAI_API_KEY, or install espeak-ng (apt install espeak-ng)',
        )
      if (speaking >= SPEAKING)
        throw new MuxiError('rate_limited', 'Too many texts are being spoken', { retryAfter: 1 })
      speaking += 1
      try {
        return await speakOffline(request, { signal, limits })
      } catch (error) {
        if (error instanceof ProgramFailed && lacksVoice(error))
          throw wrongField(
            'read the request',
            'voice',
            'a name of OpenAI’s voices, or a voice of espeak-ng, such as sv',
          )
        throw error
      } finally {
        speaking -= 1
      }
    },
  }
}

/** espeak-ng exits with the same code for every error: only its text tells them apart. */
function lacksVoice({ stderr }: ProgramFailed): boolean {
  return stderr.includes('voice does not exist')
}
