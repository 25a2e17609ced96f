// What is billed of requests that are no chats: embeddings, transcriptions, speech.

/** What such a request has used. */
export interface Used {
  input_tokens: number
  output_tokens?: number
  /** Seconds of sound, or characters that are spoken. */
  units?: number
}

/** The model behind such a request, as usage rows name it, and what it costs. */
export interface Billed {
  provider: string
  model: string
  /** In US dollars; undefined when the price is not known. */
  costOf: (used: Used) => number | undefined
}
