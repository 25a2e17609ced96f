// How jobs and turns end: which events of a job are its last, and a cancellation that comes after the end.
import { MuxiError } from '../errors.ts'

/** @param type of an event of a job, or a status */
export function isFinalOfJob(type: string): type is 'completed' | 'failed' | 'cancelled' {
  return type === 'completed' || type === 'failed' || type === 'cancelled'
}

/** Ignores the refusal of a cancellation whose turn or job has ended already. @throws any other error */
export function unlessEnded(error: unknown): void {
  if (!(error instanceof MuxiError) || error.code !== 'conflict') throw error
}
