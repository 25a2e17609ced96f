// Files: upload as a form or in JSON, list, download, delete.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { idempotencyHeaders } from '../../contracts/schemas/idempotency.ts'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import { textOf } from '../../contracts/schemas/fields.ts'
import { DeletedFileSchema, FileSchema } from '../../contracts/schemas/files.ts'
import { FileFormSchema, FileIdSchema, InlineFileSchema } from '../../contracts/schemas/jobs.ts'
import { DEFAULT_LIMIT, idPageFields, pageOf } from '../../contracts/schemas/lists.ts'
import { listFiles } from '../../db/queries/files.ts'
import { authenticated, bodyOf, page } from '../plugin.ts'
import { Content, noBody, replies } from '../replies.ts'
import { visibleUser } from '../services/access.ts'
import type { ApiContext } from '../services/context.ts'
import { fileResponse, getFileOrThrow, removeFile, uploadFile, viewFile } from '../services/files.ts'

const bytes = new Content('The bytes, with the type of the file', { '*/*': textOf('Tea is grown in Assam.') })

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
        ...replies({ 201: FileSchema }, 'bad_request', 'conflict', 'unprocessable'),
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
        query: Type.Object(
          { ...idPageFields('file'), user_id: Type.Optional(UserIdSchema) },
          { additionalProperties: false },
        ),
        ...replies({ 200: pageOf('files', FileSchema) }),
        scope: 'chat',
        detail: { summary: 'List uploaded files, newest first' },
      },
    )
    .get(
      '/:file_id',
      async ({ principal, params: { file_id } }) => viewFile(await getFileOrThrow(context, principal, file_id)),
      { params, ...replies({ 200: FileSchema }), scope: 'chat', detail: { summary: 'Read about a file' } },
    )
    .get(
      '/:file_id/content',
      async ({ principal, params: { file_id }, request, set }) => {
        const file = await getFileOrThrow(context, principal, file_id)
        return fileResponse(context, file, request, set.headers)
      },
      {
        params,
        ...replies(
          {
            200: bytes,
            206: bytes,
            304: noBody('The client has the file: `if-none-match` names its ETag'),
          },
          'precondition_failed',
          'range_not_satisfiable',
        ),
        scope: 'chat',
        detail: { summary: 'Download a file, or a part of it by Range' },
      },
    )
    .delete(
      '/:file_id',
      async ({ principal, params: { file_id } }) => {
        await removeFile(context, await getFileOrThrow(context, principal, file_id))
        return { id: file_id, status: 'deleted' as const }
      },
      {
        params,
        ...replies({ 200: DeletedFileSchema }, 'conflict'),
        scope: 'chat',
        detail: { summary: 'Delete a file and the text extracted from it; what an agent knows from it stays' },
      },
    )
}
