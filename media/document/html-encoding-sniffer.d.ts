// The only used function of a package without types.
declare module 'html-encoding-sniffer' {
  /** The name of the encoding of a page, by its byte order mark, the transport's charset, its meta tag, or the default. */
  export default function sniff(
    bytes: Uint8Array,
    options: { transportLayerEncodingLabel?: string; defaultEncoding: string; maxPrescanBytes?: number },
  ): string
}
