// Bytes of people's files, addressed by content within their owner: in a folder, or in S3.
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { parseBlobUrl } from '../contracts/blob-url.ts'
import { FolderBlobs } from './folder-blobs.ts'

/** Bytes that have arrived and belong to nobody yet. */
export interface Received {
  sha256: string
  size: number
  /** The first bytes, enough to tell what it is. */
  head: Uint8Array
  /** Gives them to their owner; may take its time, so never inside a transaction. */
  keep(owner: string): Promise<void>
  discard(): Promise<void>
}

/** First and last byte, both included. */
export interface ByteRange {
  start: number
  end: number
}

export interface Blobs {
  /** Stores bytes once for an owner. @returns their SHA-256 in hex, by which they are found again */
  put(owner: string, bytes: Uint8Array): Promise<string>
  /** Writes a stream to disk as it comes. When it throws, or does not end, nothing is kept. */
  receive(stream: AsyncIterable<Uint8Array>): Promise<Received>
  get(owner: string, sha256: string, range?: ByteRange): Promise<Buffer>
  /** The bytes as they come, for a download. */
  read(owner: string, sha256: string, range?: ByteRange): Promise<Readable>
  has(owner: string, sha256: string): Promise<boolean>
  delete(owner: string, sha256: string): Promise<void>
  /** Does work with a file of this machine that holds the bytes, and only while the work lasts. */
  withFile<T>(owner: string, sha256: string, work: (path: string) => Promise<T>, signal: AbortSignal): Promise<T>
  /** Removes what was arriving when a process died: what has not grown for so long. @returns how many there were */
  removeLeftovers(olderThanMs: number, signal: AbortSignal): Promise<number>
  close(): Promise<void>
}

/** What S3 is asked with; left out: what AWS's own environment says (profiles, roles of machines). */
export interface BlobCredentials {
  access_key_id: string
  secret_access_key: string
  session_token?: string | undefined
}

export interface BlobOptions {
  data_dir: string
  /** Left out: a folder in the data folder. */
  blob_url?: string | undefined
  blob_credentials?: BlobCredentials | undefined
}

/** @throws Error when S3 refuses, or is not reached for half a minute */
export async function openBlobs({ data_dir, blob_url, blob_credentials }: BlobOptions): Promise<Blobs> {
  if (blob_url === undefined) return new FolderBlobs(join(data_dir, 'blobs'))
  const parsed = parseBlobUrl(blob_url)
  if ('expected' in parsed) throw new Error(`Cannot start: 'BLOB_URL' must be ${parsed.expected}`)
  if ('folder' in parsed.place) return new FolderBlobs(parsed.place.folder)
  // Loaded only where it is used: the client of S3 is large.
  const { openS3Blobs } = await import('./s3-blobs.ts')
  return openS3Blobs(parsed.place, blob_credentials, data_dir)
}
