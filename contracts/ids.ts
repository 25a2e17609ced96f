// Ids: a prefix for the type, and a UUIDv7, so that ids sort by creation time.
import { v7 } from 'uuid'

export type IdPrefix =
  | 'msg'
  | 'turn'
  | 'conv'
  | 'key'
  | 'use'
  | 'log'
  | 'blob'
  | 'req'
  | 'file'
  | 'job'
  | 'doc'
  | 'appr'
  | 'aud'

/** A new id such as `turn_0199c0…` (prefix, underscore, 32 hex digits; ascending in time). */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${v7().replaceAll('-', '')}`
}
