// Archives of documents.
import { AskedProgram } from './asked-program.ts'
import type { LimitedOptions } from './limited-process.ts'
import type { UnpackRequest } from './unpack-child.ts'

export interface Member {
  /** As it is called within the archive. Never a path of ours. */
  name: string
  path: string
}

/**
 * Takes an archive apart. What was in it is gone when `use` has ended.
 * @throws MediaFailure, or the signal's reason
 */
export async function withMembers<T>(
  path: string,
  options: Omit<LimitedOptions, 'what'>,
  use: (members: Member[]) => Promise<T>,
): Promise<T> {
  const program = await AskedProgram.start('./unpack-child.ts', options.limits.memory_mb)
  try {
    const request: UnpackRequest = { path }
    const { members } = await program.ask<{ members: Member[] }>(request, { ...options, what: 'archive' })
    return await use(members)
  } finally {
    await program.end()
  }
}
