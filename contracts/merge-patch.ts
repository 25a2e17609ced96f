// JSON Merge Patch (RFC 7386): objects are merged key by key, null removes a key, anything else replaces what was there.
import { Kind, type Static, type TObject, type TSchema, Type } from '@sinclair/typebox'
import { isObject } from './json.ts'

/** The target with the patch applied; neither is changed. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const merged = new Map(isObject(target) ? Object.entries(target) : [])
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key)
    else merged.set(key, mergePatch(merged.get(key), value))
  }
  return Object.fromEntries(merged)
}

/**
 * The schema of a patch of an object: every key may be left out, and null is allowed for those that the object need not have.
 * Lists and unions are replaced as a whole, so they are as in the object.
 */
export function patchOf<T extends TObject>(schema: T): TSchema & { static: Patch<Static<T>> } {
  const properties = Object.entries(schema.properties).map(([key, property]) => {
    const changed = property[Kind] === 'Object' ? patchOf(property as TObject) : property
    const isRequired = schema.required?.includes(key) ?? false
    const { description } = property
    return [
      key,
      Type.Optional(isRequired ? changed : Type.Union([changed, Type.Null()], description ? { description } : {})),
    ]
  })
  return Type.Object(Object.fromEntries(properties) as Record<string, TSchema>, {
    additionalProperties: false,
  }) as unknown as TSchema & { static: Patch<Static<T>> }
}

type Patch<T> = { [K in keyof T]?: PatchOfValue<NonNullable<T[K]>> | null | undefined }
type PatchOfValue<T> = T extends readonly unknown[] ? T : T extends object ? Patch<T> : T
