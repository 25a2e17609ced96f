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

/** A new id such as `turn_0199c0…` (prefix, underscore, 32 hex digits; ascending in time, except those of requests). */
export function newId(prefix: IdPrefix): string {
  // Every request has one, and nothing is sorted by it: its random numbers are made in advance.
  const uuid = prefix === 'req' ? crypto.randomUUID() : v7()
  return `${prefix}_${uuid.replaceAll('-', '')}`
}
