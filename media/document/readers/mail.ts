// A mail: headers, bodies in order, and attached files with unique names.
import { type Address, decodeWords } from 'postal-mime'
import type { Notice } from '../../../contracts/notices.ts'
import { freeName, oneLine } from '../unpack/names.ts'
import type { Body } from './mail-parts.ts'

export interface Mail {
  from?: Address[]
  to?: Address[]
  cc?: Address[]
  bcc?: Address[]
  /** As its program wrote it. */
  date?: string
  subject?: string
  bodies: Body[]
  attached: Attached[]
  /** What was left out of the bodies. */
  notices: Notice[]
}

export interface Attached {
  /** The sender's name for it, on one line, unique within the mail. Never a local path. */
  name: string
  bytes: Uint8Array
}

/** Gives attached files unique names on one line. */
export function named(files: readonly Attached[]): Attached[] {
  const names = new Set<string>()
  return files.map(({ name, bytes }, index) => {
    const free = freeName(oneLine(decodeWords(name)) || `Attachment ${index + 1}`, names)
    names.add(free)
    return { name: free, bytes }
  })
}
