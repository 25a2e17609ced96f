// The interface of transcribers: speech into text.

export interface TranscribeRequest {
  /** WAV, 16 kHz, mono. */
  wav: Buffer
  /** ISO 639-1; left out: the model finds out. */
  language?: string | undefined
}

export interface Transcript {
  text: string
  language?: string | undefined
  /** Times in milliseconds from the beginning of the sound; none when the model tells no times. */
  parts: { from_ms: number; to_ms: number; text: string }[]
}

export interface Transcriber {
  /** For logs: provider and model. */
  readonly name: string
  /**
   * Never retries by itself.
   * @throws ProviderFailure, or the signal's reason
   */
  transcribe(request: TranscribeRequest, signal: AbortSignal): Promise<Transcript>
}
