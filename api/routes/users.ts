// Users: what is known about them (context memory), everything of them as a download, and forgetting them.
import { Elysia } from 'elysia'
import { Type } from '@sinclair/typebox'
import { wrongField } from '../../contracts/failures.ts'
import { UserIdSchema } from '../../contracts/schemas/chat.ts'
import {
  AddedFieldsSchema,
  ContextMemorySchema,
  DeletedFieldsSchema,
  ForgottenUserSchema,
  KnowledgeChangeSchema,
  ProvenanceSchema,
  UpdatedFieldsSchema,
  UserExportSchema,
} from '../../contracts/schemas/knowledge.ts'
import { authenticated } from '../plugin.ts'
import { Content, replies } from '../replies.ts'
import { ownUser } from '../services/access.ts'
import type { ApiContext } from '../services/context.ts'
import { exportUser } from '../services/export-user.ts'
import { forgetUser } from '../services/forget-user.ts'
import { addContext, removeContext, viewContext, viewProvenance } from '../services/memory.ts'

const closed = { additionalProperties: false }
const MAX_FIELDS = 100
const exported = new Content('Everything as a file', { 'application/json': UserExportSchema })

export function userRoutes(context: ApiContext) {
  const params = Type.Object({ user_id: UserIdSchema })
  return new Elysia({ prefix: '/users/:user_id', tags: ['users'] })
    .use(authenticated(context))
    .post(
      '/context_memory',
      async ({ principal, params: { user_id }, body, status }) => {
        const user = ownUser(principal, user_id)
        await addContext(context, user, body.knowledge)
        return status(201, { status: 'added', user_id: user, fields_added: Object.keys(body.knowledge) })
      },
      {
        params,
        body: KnowledgeChangeSchema,
        ...replies({ 201: AddedFieldsSchema }),
        scope: ['chat', 'manage'],
        detail: { summary: 'Add to what is known about a user' },
      },
    )
    .get('/context_memory', ({ principal, params: { user_id } }) => viewContext(context, ownUser(principal, user_id)), {
      params,
      ...replies({ 200: ContextMemorySchema }),
      scope: ['chat', 'manage'],
      detail: { summary: 'Read what is known about a user' },
    })
    .get(
      '/context_memory/provenance',
      ({ principal, params: { user_id } }) => viewProvenance(context, ownUser(principal, user_id)),
      {
        params,
        ...replies({ 200: ProvenanceSchema }),
        scope: ['chat', 'manage'],
        detail: { summary: 'Read which message each field came from' },
      },
    )
    .patch(
      '/context_memory',
      async ({ principal, params: { user_id }, body }) => {
        const user = ownUser(principal, user_id)
        return {
          status: 'updated' as const,
          user_id: user,
          fields_updated: await addContext(context, user, body.knowledge),
        }
      },
      {
        params,
        body: KnowledgeChangeSchema,
        ...replies({ 200: UpdatedFieldsSchema }),
        scope: ['chat', 'manage'],
        detail: { summary: 'Change what is known about a user; nested objects are merged' },
      },
    )
    .delete(
      '/context_memory',
      async ({ principal, params: { user_id }, query: { fields } }) => {
        const user = ownUser(principal, user_id)
        const paths = fields?.split(',').map((field) => field.trim())
        if (paths && (paths.length > MAX_FIELDS || paths.includes('')))
          throw wrongField(
            'delete the fields',
            'fields',
            `1 to ${MAX_FIELDS} names or dotted paths with commas between them`,
          )
        return { status: 'deleted' as const, user_id: user, fields_deleted: await removeContext(context, user, paths) }
      },
      {
        params,
        query: Type.Object(
          {
            fields: Type.Optional(
              Type.String({
                minLength: 1,
                maxLength: 8_192,
                description: 'Names or dotted paths: `a,b.c`; all when left out',
              }),
            ),
          },
          closed,
        ),
        ...replies({ 200: DeletedFieldsSchema }),
        scope: ['chat', 'manage'],
        detail: { summary: 'Delete fields of what is known about a user, or all of it' },
      },
    )
    .get('/export', ({ principal, params: { user_id } }) => exportUser(context, ownUser(principal, user_id)), {
      params,
      ...replies({ 200: exported }),
      scope: ['chat', 'manage'],
      detail: { summary: 'Download everything that is stored of a user, as JSON' },
    })
    .delete(
      '',
      async ({ principal, params: { user_id } }) => {
        const user = ownUser(principal, user_id)
        const counts = await forgetUser(context, user)
        return { status: 'deleted' as const, user_id: user, counts }
      },
      {
        params,
        ...replies({ 200: ForgottenUserSchema }),
        scope: 'manage',
        detail: { summary: 'Forget a user: messages, memories, files and the histories of the engine' },
      },
    )
}
