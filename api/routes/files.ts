// Files: uploaded as a form, read again, deleted.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { idempotencyHeaders } from '../../contracts/schemas/idempotency.ts'
import { FileIdSchema } from '../../contracts/schemas/jobs.ts'
import { authenticated } from '../plugin.ts'
import { authorize } from '../services/access.ts'
import type { ApiContext } from '../services/context.ts'
import { fileResponse, getFileOrThrow, removeFile, uploadFile, viewFile } from '../services/files.ts'

export function fileRoutes(context: ApiContext) {
  const params = Type.Object({ file_id: FileIdSchema })
  return new Elysia({ prefix: '/files', tags: ['files'] })
    .use(authenticated(context))
    .post(
      '',
      async ({ principal, request, headers, status }) => {
        authorize(principal, 'chat')
        return status(201, viewFile(await uploadFile(context, principal, request, headers['idempotency-key'])))
      },
      {
        headers: idempotencyHeaders('file'),
        detail: { summary: 'Upload a file, as multipart/form-data with the field `file`' },
      },
    )
    .get(
      '/:file_id',
      async ({ principal, params: { file_id } }) => {
        authorize(principal, 'chat')
        return viewFile(await getFileOrThrow(context, principal, file_id))
      },
      { params, detail: { summary: 'Read about a file' } },
    )
    .get(
      '/:file_id/content',
      async ({ principal, params: { file_id } }) => {
        authorize(principal, 'chat')
        return fileResponse(context, await getFileOrThrow(context, principal, file_id))
      },
      { params, detail: { summary: 'Download a file' } },
    )
    .delete(
      '/:file_id',
      async ({ principal, params: { file_id } }) => {
        authorize(principal, 'chat')
        await removeFile(context, await getFileOrThrow(context, principal, file_id))
        return { id: file_id, status: 'deleted' }
      },
      {
        params,
        detail: { summary: 'Delete a file and the text extracted from it; what an agent knows from it stays' },
      },
    )
}
