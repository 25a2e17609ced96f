// The refusal of an outgoing address, which every part that sends requests can recognize.

/** A URL that must not be fetched; the message contains no resolved address. */
export class UrlRefused extends Error {
  override readonly name = 'UrlRefused'
}
