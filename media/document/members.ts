// Container files: archives of documents, and mails with attachments.
import type { MediaFailureReason } from '../failure.ts'
import { RpcProgram } from '../process/rpc-program.ts'
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
}

/**
 * Unpacks a file. Its members are deleted after `use`. A mail is its own first member, for its body.
 * @param options with the client's name of the file
 * @throws MediaFailure, or the signal's reason
 */
export async function withMembers<T>(
  path: string,
  { name, ...options }: Omit<LimitedOptions, 'what'> & { name: string },
  use: (unpacked: Unpacked) => Promise<T>,
): Promise<T> {
  const program = await RpcProgram.start(new URL('unpack-child.ts', import.meta.url), options.limits.memory_mb)
  try {
    const request: UnpackRequest = { path, name }
    return await use(await program.ask<Unpacked>(request, { ...options, what: 'file' }))
  } finally {
    await program.end()
  }
}
