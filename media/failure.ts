// Why a file cannot be read, in one word for programs and one sentence for people.

/** `damaged` also stands for a parser that crashed on the file; the `too_…` ones for a limit that was reached. */
export type MediaFailureReason =
  | 'empty'
  | 'not_a_document'
  | 'encrypted'
  | 'damaged'
  | 'too_many_pages'
  | 'too_slow'
  | 'too_much_memory'
  | 'too_much_output'
  | 'not_an_image'
  | 'not_a_recording'
  | 'too_large'
  | 'too_long'
  | 'unsafe'
  | 'no_decoder'
  | 'no_transcriber'

/** The fault of one file: trying again is useless, and nothing but this file is touched by it. */
export class MediaFailure extends Error {
  override readonly name = 'MediaFailure'
  readonly reason: MediaFailureReason

  /** @param message a sentence that may be shown to whoever sent the file */
  constructor(reason: MediaFailureReason, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.reason = reason
  }
}
