// What is billed of requests that are no chats: embeddings, transcriptions, speech.

/** What such a request has used. */
export interface Used {
  input_tokens: number
  output_tokens?: number
  /** Of the input tokens, those of sound. */
  audio_tokens?: number
  /** Seconds of sound that is transcribed, or characters that are spoken. */
  units?: number
}

/** The model behind such a request, as usage rows name it, and what it costs. */
export interface Billed {
  provider: string
  model: string
  /** What its vendor counts: seconds and characters are `units`. */
  counted: 'tokens' | 'units'
  /** In US dollars; undefined when the price is not known. */
  costOf: (used: Used) => number | undefined
}

/** A model that transcribes or speaks. */
export interface BilledAudio extends Billed {
  /** What a request takes, estimated from its seconds or characters; no tokens where they are not what is counted. */
  estimate: (units: number) => Used
}

/** Is called with what a server has counted of a request; undefined when it counts nothing. */
export type Count = (counted: Partial<Used> | undefined) => void
