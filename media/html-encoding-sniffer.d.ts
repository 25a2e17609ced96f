// The one function that we use of a package without types.
declare module 'html-encoding-sniffer' {
  /** The name of the encoding of a page, by its byte order mark, the transport's word, its own marks, or else the default. */
  export default function sniff(
    bytes: Uint8Array,
    options: { transportLayerEncodingLabel?: string; defaultEncoding: string; maxPrescanBytes?: number },
  ): string
}
