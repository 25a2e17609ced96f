// What turns text into speech.

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
  /**
   * Never retries by itself.
   * @throws ProviderFailure, MediaFailure, or the signal's reason
   */
  speak(request: SpeakRequest, signal: AbortSignal): Promise<Uint8Array>
}
