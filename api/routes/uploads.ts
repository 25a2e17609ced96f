// Resumable uploads (tus 1.0) of large files; a finished one is a file, whose id is that of the upload.
import { Elysia } from 'elysia'
import { type Static, Type } from '@sinclair/typebox'
import { UploadSchema } from '../../contracts/schemas/files.ts'
import { FileIdSchema } from '../../contracts/schemas/jobs.ts'
import { MuxiError } from '../../contracts/failures.ts'
import { shorten } from '../../contracts/shorten.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { authenticated, bodyOf } from '../plugin.ts'
import { Content, noBody, replies } from '../replies.ts'
import { asMethod, isHead } from '../request-methods.ts'
import type { ApiContext } from '../services/context.ts'
import { UploadLocks } from '../services/upload-locks.ts'
import { finishUpload, getUploadOrThrow, isComplete, viewUpload } from '../services/uploads.ts'
import { FILE_HEADER, refusalOf, tusServer } from '../tus.ts'

/** The API has its own rules for pages of other origins. */
const OTHERS = ['allow-origin', 'allow-methods', 'allow-headers', 'expose-headers', 'max-age'].map(
  (name) => `access-control-${name}`,
)
const BYTES = {
  requestBody: bodyOf({
    'application/offset+octet-stream': Type.String({ format: 'binary', examples: ['the bytes'] }),
  }),
}

const header = (name: string, required: boolean, schema: object) => ({ name, in: 'header', required, schema })
const VERSION_HEADER = header('tus-resumable', true, { type: 'string', enum: ['1.0.0'], examples: ['1.0.0'] })
const bytes = { type: 'integer', minimum: 0, examples: [0] }
const BEGIN_HEADERS = [
  VERSION_HEADER,
  header('upload-length', true, { ...bytes, examples: [1_000_000] }),
  header('upload-metadata', false, { type: 'string', examples: ['filename dGVhLnBkZg=='] }),
]

const refusals = ['bad_request', 'conflict', 'precondition_failed'] as const

const state = new Content<Response | Static<typeof UploadSchema>>('How far it is', { 'application/json': UploadSchema })

/** @param answered headers of the answer @throws MuxiError precondition_failed */
function checkVersion(request: Request, answered: object): void {
  const { method, headers } = request
  if ((method === 'GET' && !isHead(request)) || method === 'OPTIONS') return
  const version = headers.get('tus-resumable')
  if (version === '1.0.0') return
  Object.assign(answered, { 'tus-version': '1.0.0' })
  const got = version === null ? 'nothing' : `'${shorten(version)}'`
  throw new MuxiError('precondition_failed', `Cannot continue the upload: 'Tus-Resumable' must be 1.0.0, got ${got}`)
}

export function uploadRoutes(context: ApiContext) {
  const params = Type.Object({ upload_id: FileIdSchema })
  const locks = new UploadLocks()
  const serve = async (principal: Principal, request: Request) => {
    const response = await tusServer(context, principal, locks).handleWeb(request)
    if (response.status >= 400) throw refusalOf(response.status, await response.text())
    for (const name of OTHERS) response.headers.delete(name)
    // Its answers have no bodies.
    response.headers.delete('content-type')
    return response
  }
  return new Elysia({ prefix: '/files/uploads', tags: ['files'] })
    .use(authenticated(context))
    .onTransform(({ request, set }) => checkVersion(request, set.headers))
    .options('', ({ principal, request }) => serve(principal, request), {
      scope: 'chat',
      detail: { hide: true },
    })
    .post('', ({ principal, request }) => serve(principal, request), {
      ...replies({ 201: noBody('Its address is in the header `location`') }, ...refusals, 'unprocessable'),
      scope: 'chat',
      detail: { summary: 'Begin a resumable upload (tus 1.0); its address is in Location', parameters: BEGIN_HEADERS },
    })
    .get(
      '/:upload_id',
      async ({ principal, params: { upload_id }, request }) => {
        const found = await getUploadOrThrow(context, principal, upload_id)
        // The process that took the last byte may have died before it made the file.
        const file = isComplete(found) ? await finishUpload(context, found) : undefined
        if (!isHead(request)) return viewUpload(file ? { file } : found)
        const response = await serve(principal, asMethod(request, 'HEAD'))
        if (file) response.headers.set(FILE_HEADER, file.id)
        return response
      },
      {
        params,
        ...replies({ 200: state }, ...refusals),
        scope: 'chat',
        detail: { summary: 'Read how far an upload is, and the file that it became; HEAD as in tus 1.0' },
      },
    )
    .patch(
      '/:upload_id',
      async ({ principal, params: { upload_id }, request }) => {
        // Before it may end another request of the owner.
        await getUploadOrThrow(context, principal, upload_id)
        return serve(principal, request)
      },
      {
        params,
        ...replies({ 204: noBody('The new offset is in the header `upload-offset`') }, ...refusals),
        scope: 'chat',
        detail: {
          summary: 'Continue an upload at its offset (tus 1.0)',
          parameters: [VERSION_HEADER, header('upload-offset', true, bytes)],
          ...BYTES,
        },
      },
    )
    .delete(
      '/:upload_id',
      async ({ principal, params: { upload_id }, request }) => {
        const { file } = await getUploadOrThrow(context, principal, upload_id)
        if (file)
          throw new MuxiError(
            'conflict',
            `Cannot end the upload: it is finished, and DELETE /api/v1/files/${file.id} deletes the file`,
          )
        return serve(principal, request)
      },
      {
        params,
        ...replies({ 204: noBody('It is removed') }, ...refusals),
        scope: 'chat',
        detail: { summary: 'End an upload, and remove what has arrived (tus 1.0)', parameters: [VERSION_HEADER] },
      },
    )
}
