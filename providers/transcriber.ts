// The interface of transcribers: speech into text.
import type { BilledAudio, Count } from '../contracts/billed.ts'

export interface TranscribeRequest {
  /** WAV, 16 kHz, mono. */
  wav: Buffer
  /** ISO 639-1; left out: the model finds out. */
  language?: string | undefined
}

export interface Transcript {
  text: string
  language?: string | undefined
  /** Times in milliseconds from the beginning of the sound; none when the model returns no times. */
  parts: { from_ms: number; to_ms: number; text: string }[]
}

export interface Transcriber {
  /** For logs: provider and model. */
  readonly name: string
  readonly billed: BilledAudio
  /**
   * Never retries by itself.
   * @param count is called with what the server has counted
   * @throws ProviderFailure, or the signal's reason
   */
  transcribe(request: TranscribeRequest, signal: AbortSignal, count?: Count): Promise<Transcript>
}
