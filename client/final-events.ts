// Which events of a job are its last; those of a turn stand with it.

/** @param type of an event of a job, or a status */
export function isFinalOfJob(type: string): type is 'completed' | 'failed' | 'cancelled' {
  return type === 'completed' || type === 'failed' || type === 'cancelled'
}
