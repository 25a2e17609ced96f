// What belongs to a version of an agent, read once by a process.

/** Versions kept in memory by a process. */
const REMEMBERED_VERSIONS = 200

/** Reads what belongs to a version of an agent once: versions do not change. */
export function oncePerVersion<T>(
  read: (id: string, version: number) => Promise<T>,
): (id: string, version: number) => Promise<T> {
  const known = new Map<string, Promise<T>>()
  return (id, version) => {
    const name = `${version} ${id}`
    const found = known.get(name)
    if (found) return found
    if (known.size >= REMEMBERED_VERSIONS) known.clear()
    const reading = read(id, version)
    known.set(name, reading)
    reading.catch(() => known.delete(name))
    return reading
  }
}
