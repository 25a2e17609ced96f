// Concurrent work without unhandled rejections.

/**
 * Like `Promise.all` of `items.map(work)`, and safe where `work` throws before it returns a promise: `map` would then end with
 * the promises of earlier items unobserved, and a rejection of one of them would be unhandled. Waits for all of them, then
 * throws the failure of the first item that failed.
 */
export async function mapAll<T, R>(
  items: Iterable<T>,
  work: (item: T, index: number) => R | Promise<R>,
): Promise<Awaited<R>[]> {
  const settled = await Promise.allSettled([...items].map(async (item, index) => work(item, index)))
  return settled.map((each) => {
    if (each.status === 'rejected') throw each.reason
    return each.value
  })
}
