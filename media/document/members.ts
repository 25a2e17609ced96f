// Container files: archives of documents, and mails with attachments.
import { availableParallelism } from 'node:os'
import { type ChildKind, scriptCommand } from '../process/child-kind.ts'
import { withChild } from '../process/child-pool.ts'
import type { MediaFailureReason } from '../failure.ts'
import type { LimitedOptions } from '../process/limited-process.ts'

export interface Member {
  /** Unique name within the container. Never a local path. */
  name: string
  path: string
}

/** A file within that is left out. */
export interface SkippedMember {
  name: string
  reason: MediaFailureReason
  message: string
}

export interface Unpacked {
  members: Member[]
  skipped: SkippedMember[]
}

export interface UnpackRequest {
  path: string
  name: string
  /** Folder of the members. */
  folder: string
  /** The parts of a document that are wanted, instead of all files. */
  parts?: readonly string[] | undefined
}

const UNPACKER: ChildKind = {
  what: 'file',
  writes: true,
  most: Math.max(2, availableParallelism()),
  command: scriptCommand(new URL('unpack-child.ts', import.meta.url)),
}

/**
 * Unpacks a file. Its members are deleted after `use`. A mail is its own first member, for its body.
 * @param options with the client's name of the file, and the parts that are wanted of a document
 * @throws MediaFailure, or the signal's reason
 */
export function withMembers<T>(
  path: string,
  { name, parts, ...options }: Omit<LimitedOptions, 'what'> & { name: string; parts?: readonly string[] },
  use: (unpacked: Unpacked) => Promise<T>,
): Promise<T> {
  // It is kept for the next batch of the same file.
  const child = { owner: `container ${path}`, memory_mb: options.limits.memory_mb }
  return withChild(UNPACKER, child, (program) =>
    program.inFolder(async (folder) => {
      const request: UnpackRequest = { path, name, folder, parts }
      return use(await program.ask<Unpacked>(request, options))
    }),
  )
}
