// The protocol of resumable uploads, tus 1.0 (https://tus.io), by @tus/server over muxi's uploads.
import { DataStore, type Locker, Server, Upload } from '@tus/server'
import { MuxiError, type ErrorCode } from '../contracts/failures.ts'
import type { Principal } from '../db/queries/keys.ts'
import { newUploadId, UPLOAD_IDLE_MS } from '../db/queries/uploads.ts'
import { removeUpload } from '../db/remove-upload.ts'
import type { ApiContext } from './services/context.ts'
import { beginUpload, finishUpload, getUploadOrThrow, receiveBytes, type UploadState } from './services/uploads.ts'

export const UPLOADS_PATH = '/api/v1/files/uploads'
/** Headers of every answer and refusal of the protocol, which GET is no part of. */
export function tusHeaders({ method }: Request, path: string): Record<string, string> {
  if (method === 'GET' || !(path === UPLOADS_PATH || path.startsWith(`${UPLOADS_PATH}/`))) return {}
  return { 'tus-resumable': '1.0.0', 'cache-control': 'no-store' }
}

/** The id of the finished file. */
export const FILE_HEADER = 'x-file-id'
/** How long a request may go on when the same upload is continued by another one, in milliseconds. */
const DRAIN_MS = 100

/** A server for one request: it acts for the principal. */
export function tusServer(context: ApiContext, principal: Principal, locker: Locker): Server {
  const store = new UploadStore(context, principal)
  return new Server({
    path: UPLOADS_PATH,
    datastore: store,
    locker,
    lockDrainTimeout: DRAIN_MS,
    maxSize: context.limits.upload_bytes,
    // The address that the client used is known to the client only.
    relativeLocation: true,
    disableTerminationForFinishedUploads: true,
    namingFunction: newUploadId,
    onUploadFinish: async (_, { id }) => ({ headers: { [FILE_HEADER]: (await store.finish(id)).id } }),
    // Thrown, so that it is answered as every other error of the API.
    onResponseError: (_, error) => {
      throw toFailure(error)
    },
  })
}

class UploadStore extends DataStore {
  override extensions = ['creation', 'creation-with-upload', 'termination', 'expiration']
  readonly #context: ApiContext
  readonly #principal: Principal

  constructor(context: ApiContext, principal: Principal) {
    super()
    this.#context = context
    this.#principal = principal
  }

  override async create(upload: Upload): Promise<Upload> {
    const { id, size = 0, metadata = {} } = upload
    await beginUpload(this.#context, this.#principal, { id, size, metadata })
    return upload
  }

  override async getUpload(id: string): Promise<Upload> {
    return toTus(await this.#find(id))
  }

  override async write(stream: AsyncIterable<Uint8Array>, id: string, offset: number): Promise<number> {
    const { upload } = await this.#find(id)
    return upload ? receiveBytes(this.#context, upload, stream, offset) : offset
  }

  override async remove(id: string): Promise<void> {
    await removeUpload(this.#context.storage, id)
  }

  override getExpiration(): number {
    return UPLOAD_IDLE_MS
  }

  async finish(id: string) {
    return finishUpload(this.#context, await this.#find(id))
  }

  #find(id: string): Promise<UploadState> {
    return getUploadOrThrow(this.#context, this.#principal, id)
  }
}

function toTus({ upload, file }: UploadState): Upload {
  if (file) {
    const size = Number(file.size)
    return new Upload({ id: file.id, size, offset: size, metadata: { filename: file.name } })
  }
  const { id, size, received, metadata, updated_at } = upload
  // An upload expires when no bytes come for long; the library counts from its creation.
  return new Upload({ id, size, offset: received, metadata, creation_date: updated_at })
}

/** The codes of what the library refuses; its statuses for missing headers are those of other servers. */
const CODES: Record<number, ErrorCode> = {
  400: 'bad_request',
  403: 'bad_request',
  404: 'not_found',
  409: 'conflict',
  410: 'not_found',
  412: 'precondition_failed',
  413: 'payload_too_large',
  501: 'bad_request',
}

/** The library throws objects of status and text. */
function toFailure(error: Error | { status_code: number; body: string }): Error {
  if ('status_code' in error) return refusalOf(error.status_code, error.body)
  return error
}

/** What the library says in text, as an error of the API. */
export function refusalOf(status: number, text: string): MuxiError {
  const code = /content-type/i.test(text) ? 'unsupported_media_type' : (CODES[status] ?? 'internal_error')
  return new MuxiError(code, `Cannot continue the upload: ${text.trim().replace(/\.$/, '')}`)
}
