// Opens the blobs where the settings say: in a folder or in S3.
import { join } from 'node:path'
import { parseBlobUrl } from '../contracts/blob-url.ts'
import type { BlobCredentials, Blobs } from './blobs.ts'
import { FolderBlobs } from './folder-blobs.ts'

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
