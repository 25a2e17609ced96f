// Blobs in a bucket of S3 or a compatible server. An upload is on the local disk until its hash is known.
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type ListMultipartUploadsCommandOutput,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import type { BlobBucket } from '../contracts/blob-url.ts'
import { MuxiError } from '../contracts/failures.ts'
import { retry } from '../contracts/retry.ts'
import { ownerFolder } from './blob-key.ts'
import { BlobMissing, type BlobCredentials, type Blobs, type ByteRange, type Received } from './blobs.ts'
import { Incoming } from './incoming.ts'
import { LocalCopies } from './local-copies.ts'

/** Part size of multipart uploads, in bytes: S3 accepts at most 10,000 parts, which is 80 GB. */
const PART_BYTES = 8 * 2 ** 20
const PARTS_AT_ONCE = 4
const CONNECT_MS = 5_000
/** Idle timeout of the server. */
const SILENT_MS = 60_000
const ATTEMPTS = 4
/** How long a starting process waits for a server that does not respond yet. */
const START_MS = 30_000
const START_PAUSE_MS = 500
const COPIES = { idle_bytes: 2 ** 30, idle_ms: 60_000 }

/** Checks that the bucket is usable. @throws Error that says what to do */
export async function openS3Blobs(
  place: BlobBucket,
  credentials: BlobCredentials | undefined,
  dataDir: string,
): Promise<Blobs> {
  const client = new S3Client({
    ...(place.endpoint !== undefined && { endpoint: place.endpoint, forcePathStyle: true }),
    // Compatible servers require a region in the signature, but accept any.
    ...((place.region ?? place.endpoint) !== undefined && { region: place.region ?? 'us-east-1' }),
    ...(credentials && {
      credentials: {
        accessKeyId: credentials.access_key_id,
        secretAccessKey: credentials.secret_access_key,
        ...(credentials.session_token !== undefined && { sessionToken: credentials.session_token }),
      },
    }),
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: SILENT_MS },
    // Blobs are verified by their SHA-256; not all compatible servers support Amazon's newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  const mayPass = (error: unknown) => statusOf(error) === undefined && !/credentials|region/i.test(nameOf(error))
  try {
    await retry(() => client.send(new HeadBucketCommand({ Bucket: place.bucket })), {
      patience_ms: START_MS,
      pause_ms: START_PAUSE_MS,
      mayPass,
    })
    return new S3Blobs(client, place, dataDir)
  } catch (error) {
    client.destroy()
    const status = statusOf(error)
    const why = { 404: 'that exists', 403: 'that these credentials may read and write' }[status ?? 0]
    throw new Error(
      `Cannot start: 'BLOB_URL' must be a bucket ${why ?? 'that can be reached'}, got '${place.bucket}' (${status ?? nameOf(error)})`,
    )
  }
}

class S3Blobs implements Blobs {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #prefix: string
  readonly #incoming: Incoming
  readonly #copies: LocalCopies

  constructor(client: S3Client, { bucket, prefix }: BlobBucket, dataDir: string) {
    this.#client = client
    this.#bucket = bucket
    this.#prefix = prefix
    this.#incoming = new Incoming(join(dataDir, 'incoming'))
    this.#copies = new LocalCopies(join(dataDir, 'cache', 'blobs'), COPIES)
  }

  async put(owner: string, bytes: Uint8Array): Promise<string> {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    if (!(await this.has(owner, sha256)))
      await withOwnFailure(this.#client.send(new PutObjectCommand({ ...this.#key(owner, sha256), Body: bytes })))
    return sha256
  }

  async receive(stream: AsyncIterable<Uint8Array>): Promise<Received> {
    const { path, ...arrived } = await this.#incoming.write(stream)
    const discard = () => rm(path, { force: true })
    return {
      ...arrived,
      keep: async (owner) => {
        await this.#upload(owner, arrived.sha256, path, arrived.size)
        await discard()
      },
      discard,
    }
  }

  async get(owner: string, sha256: string, range?: ByteRange): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    const stream = await this.read(owner, sha256, range)
    for await (const chunk of stream) chunks.push(chunk as Uint8Array)
    return Buffer.concat(chunks)
  }

  async read(owner: string, sha256: string, range?: ByteRange): Promise<Readable> {
    const { Body } = await withOwnFailure(
      this.#client.send(
        new GetObjectCommand({
          ...this.#key(owner, sha256),
          ...(range && { Range: `bytes=${range.start}-${range.end}` }),
        }),
      ),
    )
    return Body as Readable
  }

  async has(owner: string, sha256: string): Promise<boolean> {
    try {
      await this.#client.send(new HeadObjectCommand(this.#key(owner, sha256)))
      return true
    } catch (error) {
      if (statusOf(error) === 404) return false
      throw toFailure(error)
    }
  }

  async delete(owner: string, sha256: string): Promise<void> {
    await withOwnFailure(this.#client.send(new DeleteObjectCommand(this.#key(owner, sha256))))
  }

  async deleteAll(owner: string): Promise<void> {
    const Prefix = this.#key(owner, '').Key
    for (let isMore = true; isMore;) {
      const listed = await withOwnFailure(this.#client.send(new ListObjectsV2Command({ Bucket: this.#bucket, Prefix })))
      for (const { Key } of listed.Contents ?? [])
        await withOwnFailure(this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key })))
      isMore = listed.IsTruncated === true
    }
  }

  withFile<T>(owner: string, sha256: string, work: (path: string) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#copies.use(this.#key(owner, sha256).Key, (path) => this.#download(owner, sha256, path), work, signal)
  }

  /** On the local disk, and incomplete multipart uploads in the bucket. */
  async removeLeftovers(olderThanMs: number, signal: AbortSignal): Promise<number> {
    let removed = await this.#incoming.sweep(olderThanMs, signal)
    const before = Date.now() - olderThanMs
    let after: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {}
    while (after && !signal.aborted) {
      const listed: ListMultipartUploadsCommandOutput = await this.#listUploads(after)
      for (const { Key, UploadId, Initiated } of listed.Uploads ?? []) {
        if (!Key || !UploadId || !Initiated || Initiated.getTime() > before) continue
        await withOwnFailure(
          this.#client.send(new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key, UploadId })),
        )
        removed += 1
      }
      after = listed.IsTruncated
        ? { KeyMarker: listed.NextKeyMarker, UploadIdMarker: listed.NextUploadIdMarker }
        : undefined
    }
    return removed
  }

  async close(): Promise<void> {
    await this.#copies.close()
    this.#client.destroy()
  }

  #listUploads(after: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined }) {
    return withOwnFailure(
      this.#client.send(new ListMultipartUploadsCommand({ Bucket: this.#bucket, Prefix: this.#prefix, ...after })),
    )
  }

  /** Multipart for large files; a failed upload leaves nothing. */
  async #upload(owner: string, sha256: string, path: string, size: number): Promise<void> {
    if (await this.has(owner, sha256)) return
    const key = this.#key(owner, sha256)
    // The file, or one part of it, is buffered in memory, so that a failed request can be retried.
    if (size <= PART_BYTES)
      return void (await withOwnFailure(
        this.#client.send(new PutObjectCommand({ ...key, Body: await readFile(path) })),
      ))
    const file = createReadStream(path, { highWaterMark: 2 ** 20 })
    const params = { ...key, Body: file }
    try {
      await withOwnFailure(
        new Upload({ client: this.#client, params, partSize: PART_BYTES, queueSize: PARTS_AT_ONCE }).done(),
      )
    } finally {
      file.destroy()
    }
  }

  /** The downloaded bytes must match the hash. */
  async #download(owner: string, sha256: string, path: string): Promise<void> {
    const hash = createHash('sha256')
    const hashing = new Transform({
      transform(chunk: Uint8Array, _encoding, done) {
        hash.update(chunk)
        done(null, chunk)
      },
    })
    try {
      await pipeline(await this.read(owner, sha256), hashing, createWriteStream(path, { flags: 'wx', mode: 0o600 }))
    } catch (error) {
      throw error instanceof MuxiError || error instanceof BlobMissing ? error : toFailure(error)
    }
    if (hash.digest('hex') !== sha256) throw new Error(`the blob ${sha256} has other bytes than it had`)
  }

  #key(owner: string, sha256: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: `${this.#prefix}${ownerFolder(owner)}/${sha256}` }
  }
}

async function withOwnFailure<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked
  } catch (error) {
    throw toFailure(error)
  }
}

/** S3's messages may contain keys: they are not logged. */
function toFailure(error: unknown): Error {
  const status = statusOf(error)
  if (status === 404) return new BlobMissing('the blob is not in the bucket')
  return new MuxiError(
    'unavailable',
    `The storage of files ${status === undefined ? 'cannot be reached' : 'refuses'}`,
    {
      retryAfter: 5,
      details: { reason: status === undefined ? nameOf(error) : `${nameOf(error)} (${status})` },
    },
  )
}

function statusOf(error: unknown): number | undefined {
  const { $metadata } = (error ?? {}) as { $metadata?: { httpStatusCode?: number } }
  return $metadata?.httpStatusCode
}

function nameOf(error: unknown): string {
  const { name, code } = (error ?? {}) as { name?: string; code?: string }
  return [code, name].find((each) => typeof each === 'string')?.slice(0, 64) ?? 'unknown'
}
