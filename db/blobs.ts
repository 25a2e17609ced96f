// Blobs: bytes of users' files, content-addressed within their owner, in a folder or in S3.
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { parseBlobUrl } from '../contracts/blob-url.ts'
import { FolderBlobs } from './folder-blobs.ts'

/** Received bytes that have no owner yet. */
export interface Received {
  sha256: string
  size: number
  /** The first bytes, enough to detect the format. */
  head: Uint8Array
  /** Stores them for their owner; slow, so never inside a transaction. */
  keep(owner: string): Promise<void>
  discard(): Promise<void>
}

/** First and last byte, inclusive. */
export interface ByteRange {
  start: number
  end: number
}

export interface Blobs {
  /** Stores bytes once for an owner. @returns their SHA-256 in hex, the key for reading */
  put(owner: string, bytes: Uint8Array): Promise<string>
  /** Writes a stream to disk incrementally. When it throws or is not finished, nothing is kept. */
  receive(stream: AsyncIterable<Uint8Array>): Promise<Received>
  get(owner: string, sha256: string, range?: ByteRange): Promise<Buffer>
  /** The bytes as a stream, for a download. */
  read(owner: string, sha256: string, range?: ByteRange): Promise<Readable>
  has(owner: string, sha256: string): Promise<boolean>
  delete(owner: string, sha256: string): Promise<void>
  /** Calls `work` with the path of a local file with the bytes; the path is valid only until it resolves. */
  withFile<T>(owner: string, sha256: string, work: (path: string) => Promise<T>, signal: AbortSignal): Promise<T>
  /** Removes partial uploads of dead processes: those that have not grown for that long. @returns how many there were */
  removeLeftovers(olderThanMs: number, signal: AbortSignal): Promise<number>
  close(): Promise<void>
}

/** Credentials for S3; default: the AWS credential chain (profiles, instance roles). */
export interface BlobCredentials {
  access_key_id: string
  secret_access_key: string
  session_token?: string | undefined
}

export interface BlobOptions {
  data_dir: string
  /** Default: a folder in the data folder. */
  blob_url?: string | undefined
  blob_credentials?: BlobCredentials | undefined
}

/** @throws Error when S3 refuses, or is unreachable for half a minute */
export async function openBlobs({ data_dir, blob_url, blob_credentials }: BlobOptions): Promise<Blobs> {
  if (blob_url === undefined) return new FolderBlobs(join(data_dir, 'blobs'))
  const parsed = parseBlobUrl(blob_url)
  if ('expected' in parsed) throw new Error(`Cannot start: 'BLOB_URL' must be ${parsed.expected}`)
  if ('folder' in parsed.place) return new FolderBlobs(parsed.place.folder)
  // Loaded on demand: the S3 client is large.
  const { openS3Blobs } = await import('./s3-blobs.ts')
  return openS3Blobs(parsed.place, blob_credentials, data_dir)
}
