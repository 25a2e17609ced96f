// Reads the frames of a WebSocket.
import type { Static, TSchema } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import { MuxiError, wrongField } from '../contracts/failures.ts'
import { schemaFaults } from '../contracts/schemas/faults.ts'
import { AUDIO_FRAMES, FRAME_DATA, FrameSchema, type FrameType } from '../contracts/schemas/frames.ts'
import { invalid } from './errors.ts'
import { readJson } from './json.ts'

/** Compiled when a frame needs them first. */
const compiled = new Map<TSchema, TypeCheck<TSchema>>()

/** @param identified gets the id of the frame, also when the frame is refused @throws MuxiError bad_request */
export async function parseFrame(data: Buffer, isBinary: boolean, identified: (id: string) => void): Promise<unknown> {
  if (!isBinary) return readJson(data, 'read the frame: it', (frame) => identified(idOf(frame)))
  throw new MuxiError(
    'bad_request',
    'Cannot read the frame: it must be JSON text, because no audio stream has begun that binary frames belong to',
  )
}

/** The id of a frame for its answer, also when the rest is invalid. */
function idOf(frame: unknown): string {
  const { id } = (frame ?? {}) as { id?: unknown }
  return fits(FrameSchema.properties.id, id) ? id : ''
}

/** The type of a frame, with its data. @throws MuxiError bad_request */
export function checkFrame(frame: unknown): { type: FrameType; data: unknown } {
  if (!fits(FrameSchema, frame)) throw fault(FrameSchema, frame)
  const { type, data = {} } = frame
  if (AUDIO_FRAMES.includes(type))
    throw wrongField(
      `take '${type}'`,
      'type',
      'another one: this version has no live audio; upload recordings to POST /api/v1/audio/transcriptions',
    )
  if (!Object.hasOwn(FRAME_DATA, type)) {
    const types = Object.keys(FRAME_DATA).join(', ')
    throw wrongField('read the frame', 'type', `one of ${types}`)
  }
  const schema: TSchema = FRAME_DATA[type as FrameType]
  if (!fits(schema, data)) throw fault(schema, data)
  return { type: type as FrameType, data }
}

function fits<T extends TSchema>(schema: T, value: unknown): value is Static<T> {
  let check = compiled.get(schema)
  if (!check) compiled.set(schema, (check = TypeCompiler.Compile<TSchema>(schema)))
  return check.Check(value)
}

function fault(schema: TSchema, value: unknown): MuxiError {
  return invalid('the frame', schemaFaults(schema, value))
}
