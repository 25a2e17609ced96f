// Files that hold others: archives of documents, and mails with what is attached to them.
import { AskedProgram } from './asked-program.ts'
import type { LimitedOptions } from './limited-process.ts'
import type { UnpackRequest } from './unpack-child.ts'

export interface Member {
  /** As it is called within the other file, where no two are called alike. Never a path of ours. */
  name: string
  path: string
}

/**
 * Takes a file apart. What was in it is gone when `use` has ended. A mail is the first of its own members, for its body.
 * @param options with the name of the file, as its sender calls it
 * @throws MediaFailure, or the signal's reason
 */
export async function withMembers<T>(
  path: string,
  { name, ...options }: Omit<LimitedOptions, 'what'> & { name: string },
  use: (members: Member[]) => Promise<T>,
): Promise<T> {
  const program = await AskedProgram.start('./unpack-child.ts', options.limits.memory_mb)
  try {
    const request: UnpackRequest = { path, name }
    const { members } = await program.ask<{ members: Member[] }>(request, { ...options, what: 'file' })
    return await use(members)
  } finally {
    await program.end()
  }
}
