// Blobs: bytes of users' files, content-addressed within their owner, in a folder or in S3.
import type { Readable } from 'node:stream'

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

/** There are no such bytes: never stored, or deleted. Reading them again does not help. */
export class BlobMissing extends Error {
  override readonly name = 'BlobMissing'
}

/** Reading bytes that are not there throws `BlobMissing`. */
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
  /** Removes all bytes of an owner. */
  deleteAll(owner: string): Promise<void>
  /**
   * Calls `work` with the path of a local file with the bytes; the path is valid only until it resolves. When it fails and the
   * bytes were deleted meanwhile, the error is `BlobMissing`.
   */
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
