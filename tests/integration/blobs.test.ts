// Bytes of files, the same cases in a folder and in S3 (moto); and what only S3 can meet.
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { S3Client, CreateMultipartUploadCommand, UploadPartCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { BlobMissing, type Blobs } from '../../db/blobs.ts'
import { openBlobs } from '../../db/open-blobs.ts'
import { LocalCopies } from '../../db/local-copies.ts'
import { S3_CREDENTIALS, startS3, type S3Server } from '../support/s3.ts'
import { tempDir } from '../support/temp-dir.ts'

const MB = 2 ** 20
const { signal } = new AbortController()
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

let server: S3Server
let buckets = 0
beforeAll(async () => {
  server = await startS3()
})
afterAll(() => server.stop())

interface Place {
  blobs: Blobs
  data_dir: string
  blob_url: string
}

async function open(kind: 'folder' | 's3'): Promise<Place> {
  const data_dir = tempDir()
  const blob_url =
    kind === 'folder'
      ? pathToFileURL(join(data_dir, 'elsewhere')).href
      : await server.createBucket(`bucket-${(buckets += 1)}`)
  const blobs = await openBlobs({ data_dir, blob_url, blob_credentials: S3_CREDENTIALS })
  onTestFinished(() => blobs.close())
  return { blobs, data_dir, blob_url }
}

async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
}

async function store(blobs: Blobs, owner: string, bytes: Buffer): Promise<string> {
  const received = await blobs.receive(inPieces(bytes))
  await received.keep(owner)
  return received.sha256
}

for (const kind of ['folder', 's3'] as const) {
  describe(kind, () => {
    it('stores streams of any size, also empty ones, and returns them whole, as a range and as a file', async () => {
      const { blobs } = await open(kind)
      for (const size of [0, 1, 8 * MB, 21 * MB + 7]) {
        const bytes = randomBytes(size)
        const received = await blobs.receive(inPieces(bytes))
        expect(received).toMatchObject({ sha256: sha256(bytes), size })
        expect(Buffer.from(received.head)).toEqual(bytes.subarray(0, 8_192))
        await received.keep('anna')
        const name = received.sha256
        expect(sha256(await blobs.get('anna', name))).toBe(name)
        expect(await blobs.withFile('anna', name, async (path) => sha256(await readFile(path)), signal)).toBe(name)
        if (size < 100) continue
        const range = { start: size - 100, end: size - 51 }
        expect(await blobs.get('anna', name, range)).toEqual(bytes.subarray(size - 100, size - 50))
        const streamed: Uint8Array[] = []
        for await (const chunk of await blobs.read('anna', name, range)) streamed.push(chunk as Uint8Array)
        expect(Buffer.concat(streamed)).toEqual(bytes.subarray(size - 100, size - 50))
      }
    })

    it('addresses bytes by owner and content; deleting affects one owner', async () => {
      const { blobs } = await open(kind)
      const bytes = Buffer.from('the same')
      const name = await blobs.put('anna', bytes)
      expect(await store(blobs, 'ben', bytes)).toBe(name)
      expect(await blobs.put('anna', bytes)).toBe(name)
      await blobs.delete('anna', name)
      await blobs.delete('anna', name)
      expect([await blobs.has('anna', name), await blobs.has('ben', name)]).toEqual([false, true])
    })

    it('says of bytes that are deleted that they are missing, also when they are deleted while they are read', async () => {
      const { blobs } = await open(kind)
      const gone = sha256(Buffer.from('never stored'))
      const range = { start: 0, end: 3 }
      const work = () => Promise.resolve('worked')
      for (const reading of [
        () => blobs.get('anna', gone),
        () => blobs.get('anna', gone, range),
        () => blobs.read('anna', gone),
        () => blobs.withFile('anna', gone, work, signal),
      ])
        await expect(reading()).rejects.toThrow(BlobMissing)
      const name = await blobs.put('anna', Buffer.from('as long as it is there'))
      const failing = (deleted: boolean) =>
        blobs.withFile(
          'anna',
          name,
          async () => {
            if (deleted) await blobs.delete('anna', name)
            throw new Error('the reader failed')
          },
          signal,
        )
      await expect(failing(false)).rejects.toThrow('the reader failed')
      // Of a bucket there is a copy, which stays.
      await expect(failing(true)).rejects.toThrow(kind === 'folder' ? BlobMissing : 'the reader failed')
    })

    it('keeps nothing of a broken stream, nor of a discarded one', async () => {
      const { blobs, data_dir } = await open(kind)
      const broken = Readable.from(
        (async function* () {
          yield Buffer.alloc(MB)
          throw new Error('the sender has disconnected')
        })(),
      )
      await expect(blobs.receive(broken)).rejects.toThrow('the sender has disconnected')
      const received = await blobs.receive(inPieces(randomBytes(MB)))
      await received.discard()
      expect(await blobs.has('anna', received.sha256)).toBe(false)
      expect(filesBelow(data_dir)).toEqual([])
    })
  })
}

describe('s3', () => {
  it('downloads a file once for concurrent users, and leaves no copy after close', async () => {
    const { blobs, data_dir } = await open('s3')
    const name = await store(blobs, 'anna', randomBytes(9 * MB))
    const paths = await Promise.all([1, 2, 3].map(() => blobs.withFile('anna', name, async (path) => path, signal)))
    expect(new Set(paths).size).toBe(1)
    expect(filesBelow(data_dir)).toHaveLength(1)
    await blobs.close()
    expect(filesBelow(data_dir)).toEqual([])
  })

  it('refuses downloaded bytes that do not match their hash', async () => {
    const { blobs, blob_url } = await open('s3')
    const name = await blobs.put('anna', Buffer.from('as it was'))
    const client = clientOf()
    const { hostname } = new URL(blob_url)
    const folder = createHash('sha256').update('anna').digest('hex').slice(0, 32)
    await client.send(new PutObjectCommand({ Bucket: hostname, Key: `files/${folder}/${name}`, Body: 'changed' }))
    await expect(blobs.withFile('anna', name, async () => 'worked', signal)).rejects.toThrow('other bytes')
  })

  it('removes the parts of uploads that a crash left behind', async () => {
    const { blobs, blob_url } = await open('s3')
    const client = clientOf()
    const at = { Bucket: new URL(blob_url).hostname, Key: 'files/half' }
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(at))
    await client.send(new UploadPartCommand({ ...at, UploadId, PartNumber: 1, Body: Buffer.alloc(5 * MB) }))
    // moto says of every upload that it was begun in 2010.
    expect(await blobs.removeLeftovers(100 * 365 * 86_400_000, signal)).toBe(0)
    expect(await blobs.removeLeftovers(3_600_000, signal)).toBe(1)
    expect(await blobs.removeLeftovers(3_600_000, signal)).toBe(0)
  })

  it('reports a faulty bucket at the start, and an unavailable one later; neither message names a credential', async () => {
    const url = await server.createBucket('there')
    const missing = url.replace('there', 'missing')
    const refused = await openBlobs({ data_dir: tempDir(), blob_url: missing, blob_credentials: S3_CREDENTIALS }).catch(
      (error: unknown) => String(error),
    )
    expect(refused).toBe("Error: Cannot start: 'BLOB_URL' must be a bucket that exists, got 'missing' (404)")
    const leaving = await startS3()
    onTestFinished(() => leaving.stop())
    const blobs = await openBlobs({
      data_dir: tempDir(),
      blob_url: await leaving.createBucket('leaving'),
      blob_credentials: S3_CREDENTIALS,
    })
    const name = await blobs.put('anna', Buffer.from('here'))
    await leaving.stop()
    const away = await blobs.get('anna', name).catch((error: unknown) => error)
    expect(away).toMatchObject({ code: 'unavailable', message: 'The storage of files cannot be reached' })
    expect(JSON.stringify(away, Object.getOwnPropertyNames(away))).not.toMatch(/PLANTED|planted/)
    await blobs.close()
  })
})

it('unused copies stay within their limit, the newest longest', async () => {
  const folder = tempDir()
  const copies = new LocalCopies(folder, { idle_bytes: 250, idle_ms: 60_000 })
  onTestFinished(() => copies.close())
  const fetched: string[] = []
  const use = (key: string) =>
    copies.use(
      key,
      async (path) => {
        fetched.push(key)
        await writeFile(path, Buffer.alloc(100))
      },
      async (path) => statSync(path).size,
      signal,
    )
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) expect(await use(key)).toBe(100)
  expect(fetched).toEqual(['a', 'b', 'c', 'b'])
  await expect.poll(() => filesBelow(folder).length).toBe(2)
})

function clientOf(): S3Client {
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey } = S3_CREDENTIALS
  const client = new S3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  })
  onTestFinished(() => client.destroy())
  return client
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
}
