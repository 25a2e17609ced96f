// Files: upload as a form or in JSON, list, download, delete.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { idempotencyHeaders } from '../../contracts/schemas/idempotency.ts'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import { FileFormSchema, FileIdSchema, InlineFileSchema } from '../../contracts/schemas/jobs.ts'
import { DEFAULT_LIMIT, pageFields } from '../../contracts/schemas/lists.ts'
import { listFiles } from '../../db/queries/files.ts'
import { authenticated, bodyOf, page } from '../plugin.ts'
import { visibleUser } from '../services/access.ts'
import type { ApiContext } from '../services/context.ts'
import { fileResponse, getFileOrThrow, removeFile, uploadFile, viewFile } from '../services/files.ts'

export function fileRoutes(context: ApiContext) {
  const params = Type.Object({ file_id: FileIdSchema })
  return new Elysia({ prefix: '/files', tags: ['files'] })
    .use(authenticated(context))
    .post(
      '',
      async ({ principal, request, headers, status }) => {
        return status(201, viewFile(await uploadFile(context, principal, request, headers['idempotency-key'])))
      },
      {
        headers: idempotencyHeaders('file'),
        scope: 'chat',
        detail: {
          summary: 'Upload a file, as a form or in JSON',
          requestBody: bodyOf({ 'multipart/form-data': FileFormSchema, 'application/json': InlineFileSchema }),
        },
      },
    )
    .get(
      '',
      async ({ principal, query: { limit = DEFAULT_LIMIT, user_id, cursor } }) => {
        const files = await listFiles(context.storage.db, {
          user_id: visibleUser(principal, user_id),
          limit: limit + 1,
          cursor,
        })
        const { items, ...rest } = page(files, limit, ({ id }) => id)
        return { files: items.map(viewFile), ...rest }
      },
      {
        query: Type.Object({ ...pageFields, user_id: Type.Optional(UserIdSchema) }, { additionalProperties: false }),
        scope: 'chat',
        detail: { summary: 'List uploaded files, newest first' },
      },
    )
    .get(
      '/:file_id',
      async ({ principal, params: { file_id } }) => viewFile(await getFileOrThrow(context, principal, file_id)),
      { params, scope: 'chat', detail: { summary: 'Read about a file' } },
    )
    .get(
      '/:file_id/content',
      async ({ principal, params: { file_id }, request }) => {
        const file = await getFileOrThrow(context, principal, file_id)
        return fileResponse(context, file, request.headers.get('range'))
      },
      { params, scope: 'chat', detail: { summary: 'Download a file, or a part of it by Range' } },
    )
    .delete(
      '/:file_id',
      async ({ principal, params: { file_id } }) => {
        await removeFile(context, await getFileOrThrow(context, principal, file_id))
        return { id: file_id, status: 'deleted' }
      },
      {
        params,
        scope: 'chat',
        detail: { summary: 'Delete a file and the text extracted from it; what an agent knows from it stays' },
      },
    )
}
