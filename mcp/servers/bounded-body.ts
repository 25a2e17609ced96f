// Reads a response body up to a limit of decompressed bytes.

export interface BoundedBody {
  bytes: Uint8Array
  /** Whether there was more. */
  is_cut: boolean
}

/** @throws the stream's error: a broken connection, invalid compression, the reason of the request's signal */
export async function readBody({ body }: Response, maxBytes: number): Promise<BoundedBody> {
  if (!body) return { bytes: new Uint8Array(), is_cut: false }
  const chunks: Uint8Array[] = []
  let size = 0
  let isCut = false
  // Breaking the loop cancels the stream.
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk.subarray(0, maxBytes - size))
    size += chunk.length
    isCut = size > maxBytes
    if (isCut) break
  }
  return { bytes: Buffer.concat(chunks), is_cut: isCut }
}

/** The seconds of a Retry-After header, in either form. */
export function retryAfter({ headers }: Response): number | undefined {
  const value = headers.get('retry-after')?.trim() ?? ''
  if (/^\d{1,9}$/.test(value)) return Number(value)
  const moment = Date.parse(value)
  return Number.isNaN(moment) ? undefined : Math.max(0, Math.ceil((moment - Date.now()) / 1_000))
}

/** A message for a failed request that contains no address. */
export function networkFault(error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown; message?: unknown } }
  const known = typeof cause?.code === 'string' ? cause.code : typeof code === 'string' ? code : undefined
  if (known === 'ENOTFOUND' || known === 'EAI_AGAIN') return 'its name is not known'
  if (known?.startsWith('Z_') || known?.startsWith('ERR_') || known === undefined) return 'the connection broke'
  return `it cannot be reached (${known})`
}
