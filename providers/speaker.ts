// What turns text into speech.
import type { BilledAudio, Count } from '../contracts/billed.ts'

export const SPEECH_FORMATS = ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'] as const
export type SpeechFormat = (typeof SPEECH_FORMATS)[number]

export interface SpeakRequest {
  text: string
  voice: string
  format: SpeechFormat
  /** 1 is usual. */
  speed: number
  /** How it is to sound; a voice that cannot follow leaves it out. */
  instructions?: string | undefined
}

export interface Speaker {
  /** For logs: provider and model. */
  readonly name: string
  /** Left out where speech costs nothing. */
  readonly billed?: BilledAudio
  /**
   * Never retries by itself.
   * @param count is called with what the server has counted
   * @throws ProviderFailure, MediaFailure, or the signal's reason
   */
  speak(request: SpeakRequest, signal: AbortSignal, count?: Count): Promise<Uint8Array>
}
