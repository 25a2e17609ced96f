// Files as the API shows them.
import { Type } from '@sinclair/typebox'
import { CountSchema, textOf, TimeSchema } from './fields.ts'
import { FileIdSchema } from './jobs.ts'

const closed = { additionalProperties: false }

export const FileSchema = Type.Object(
  {
    id: FileIdSchema,
    name: textOf('tea.txt'),
    type: textOf('text/plain'),
    size: CountSchema,
    sha256: textOf('9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'),
    created_at: TimeSchema,
  },
  { ...closed, $id: 'File' },
)

export const DeletedFileSchema = Type.Object({ id: FileIdSchema, status: Type.Literal('deleted') }, closed)

/** How far an upload is, and the file that it became. */
export const UploadSchema = Type.Union(
  [
    Type.Object(
      {
        id: FileIdSchema,
        status: Type.Literal('receiving'),
        offset: CountSchema,
        size: CountSchema,
        expires_at: TimeSchema,
      },
      closed,
    ),
    Type.Object(
      {
        id: FileIdSchema,
        status: Type.Literal('completed'),
        offset: CountSchema,
        size: CountSchema,
        file: FileSchema,
      },
      closed,
    ),
  ],
  { $id: 'Upload' },
)
