// Why a file cannot be read: a reason code for programs and a sentence for users.

/** `damaged` also covers a parser that crashed on the file; the `too_…` ones for a limit that was reached. */
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
  | 'no_converter'
  | 'no_transcriber'

/** A child program reported an error that is not a `MediaFailure`: a library has many for invalid files. */
export class ReaderFailed extends Error {
  override readonly name = 'ReaderFailed'
}

/** A fault of one file: not retryable, and no other file is affected. */
export class MediaFailure extends Error {
  override readonly name = 'MediaFailure'
  readonly reason: MediaFailureReason

  /** @param message a sentence that may be shown to the user who sent the file */
  constructor(reason: MediaFailureReason, message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.reason = reason
  }
}
