// Context memory: what is known about a user, as a JSON object whose fields are named by dotted paths. Pure.

import { isLost, isRawNumber } from './exact-json.ts'

export type Knowledge = Record<string, unknown>

/** Where a field came from. */
export interface FieldSource {
  at: string
  /** The message that it was read from; unset when it was set over the API. */
  message_id?: string
  /** The agent that received the message. */
  agent_id?: string
}

/** Deeper objects are refused. */
export const MAX_DEPTH = 8
/** Longest knowledge of a user as JSON, in bytes: every turn shows it to the model. */
export const MAX_KNOWLEDGE_BYTES = 16_384
/** A key must be nameable in a list of paths, and `__proto__` must not be one. */
const KEY = /^(?!__proto__$|\s)[^.,\p{Cc}]{1,128}(?<!\s)$/u

export function isPlainObject(value: unknown): value is Knowledge {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export interface Merged {
  knowledge: Knowledge
  /** Dotted paths of the fields that were set. */
  changed: string[]
}

/** Merges `patch` into `base`, objects key by key; any other value, a list too, replaces the one before. */
export function mergeKnowledge(base: Knowledge, patch: Knowledge, path = ''): Merged {
  const knowledge: Knowledge = { ...base }
  const changed: string[] = []
  for (const [key, value] of Object.entries(patch)) {
    const here = path === '' ? key : `${path}.${key}`
    const before = Object.hasOwn(base, key) ? base[key] : undefined
    if (isPlainObject(value) && Object.keys(value).length > 0) {
      const inner = mergeKnowledge(isPlainObject(before) ? before : {}, value, here)
      knowledge[key] = inner.knowledge
      changed.push(...inner.changed)
    } else if (!(isPlainObject(value) && isPlainObject(before))) {
      knowledge[key] = value
      changed.push(here)
    }
  }
  return { knowledge, changed }
}

export interface Pruned {
  knowledge: Knowledge
  /** The paths that existed. */
  deleted: string[]
}

/** Deletes fields by their dotted paths; an object that becomes empty by it is deleted too. */
export function deleteFields(base: Knowledge, paths: readonly string[]): Pruned {
  let knowledge = base
  const deleted: string[] = []
  for (const path of paths) {
    const without = deleteField(knowledge, path.split('.'))
    if (!without) continue
    knowledge = without
    deleted.push(path)
  }
  return { knowledge, deleted }
}

function deleteField(base: Knowledge, [key = '', ...rest]: string[]): Knowledge | undefined {
  if (!Object.hasOwn(base, key)) return undefined
  const { [key]: value, ...others } = base
  if (rest.length === 0) return others
  const inner = isPlainObject(value) ? deleteField(value, rest) : undefined
  if (!inner) return undefined
  return Object.keys(inner).length === 0 ? others : { ...base, [key]: inner }
}

/** Whether a field is the one at the path, below it or above it. */
export function concerns(field: string, path: string): boolean {
  return field === path || field.startsWith(`${path}.`) || path.startsWith(`${field}.`)
}

interface KnowledgeFault {
  path: string
  expected: string
}

/** The first thing that is wrong with what a client sends as knowledge, read by `parseExact`: its path, and what it must be. */
export function knowledgeFault(value: Knowledge, path: readonly string[] = []): KnowledgeFault | undefined {
  if (isRawNumber(value)) return { path: path.join('.'), expected: 'an object' }
  for (const [key, inner] of Object.entries(value)) {
    const here = [...path, key]
    if (!KEY.test(key))
      return {
        path: path.join('.'),
        expected:
          'an object whose keys have 1 to 128 characters, without dots, commas, control characters and spaces at their ends',
      }
    if (here.length > MAX_DEPTH) return { path: path.join('.'), expected: `nested at most ${MAX_DEPTH} deep` }
    const fault = isPlainObject(inner) && !isRawNumber(inner) ? knowledgeFault(inner, here) : numberFault(inner, here)
    if (fault) return fault
  }
  return undefined
}

/** The first number in a value that would be another one when it is read again. */
function numberFault(value: unknown, path: readonly string[]): KnowledgeFault | undefined {
  if (isRawNumber(value) ? isLost(value) : typeof value === 'number' && !Number.isFinite(value))
    return { path: path.join('.'), expected: 'a number that a double (IEEE 754) can hold, or a string' }
  if (typeof value !== 'object' || value === null || isRawNumber(value)) return undefined
  for (const [key, inner] of Object.entries(value)) {
    const fault = numberFault(inner, [...path, key])
    if (fault) return fault
  }
  return undefined
}
