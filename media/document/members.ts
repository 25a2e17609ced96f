// Container files: archives of documents, and mails with attachments.
import { RpcProgram } from '../process/rpc-program.ts'
import type { LimitedOptions } from '../process/limited-process.ts'

export interface Member {
  /** Unique name within the container. Never a local path. */
  name: string
  path: string
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
  use: (members: Member[]) => Promise<T>,
): Promise<T> {
  const program = await RpcProgram.start(new URL('unpack-child.ts', import.meta.url), options.limits.memory_mb)
  try {
    const request: UnpackRequest = { path, name }
    const { members } = await program.ask<{ members: Member[] }>(request, { ...options, what: 'file' })
    return await use(members)
  } finally {
    await program.end()
  }
}
