// Location of blobs: a folder, or a bucket of S3 or a compatible server.
import { fileURLToPath } from 'node:url'

export type BlobPlace = { folder: string } | BlobBucket

export interface BlobBucket {
  bucket: string
  /** Before every key; empty, or ends with a slash. */
  prefix: string
  /** Default: Amazon's. */
  endpoint?: string
  region?: string
}

const EXPECTED =
  'file:///folder or s3://bucket/prefix?endpoint=https://host&region=name, without a key or password (those are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)'

/** Parses `BLOB_URL`. @returns the place, or the expected format of an invalid URL */
export function parseBlobUrl(text: string): { place: BlobPlace } | { expected: string } {
  if (!URL.canParse(text)) return { expected: EXPECTED }
  const url = new URL(text)
  if (url.username !== '' || url.password !== '' || url.hash !== '') return { expected: EXPECTED }
  if (url.protocol === 'file:') {
    if (url.search !== '' || url.host !== '') return { expected: EXPECTED }
    return { place: { folder: fileURLToPath(url) } }
  }
  const { endpoint, region, ...others } = Object.fromEntries(url.searchParams)
  const isBucket = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.hostname)
  if (url.protocol !== 's3:' || !isBucket || url.port !== '' || Object.keys(others).length > 0)
    return { expected: EXPECTED }
  if (endpoint !== undefined && !/^https?:\/\/[^\s/?#@]+\/?$/.test(endpoint)) return { expected: EXPECTED }
  if (region !== undefined && !/^[a-z0-9-]+$/.test(region)) return { expected: EXPECTED }
  const path = decodeURIComponent(url.pathname).replaceAll(/^\/+|\/+$/g, '')
  return {
    place: {
      bucket: url.hostname,
      prefix: path === '' ? '' : `${path}/`,
      ...(endpoint !== undefined && { endpoint }),
      ...(region !== undefined && { region }),
    },
  }
}
