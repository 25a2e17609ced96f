// The moments at which a browser's connections are worth another try at once.

/**
 * Calls back when the network or the page returns; outside browsers never.
 * @param returned `isNew`: connections from before are lost for certain
 * @returns a function that ends it
 */
export function onReturn(returned: (isNew: boolean) => void): () => void {
  const page = globalThis.document as Document | undefined
  const online = () => returned(true)
  const shown = () => page?.visibilityState !== 'hidden' && returned(false)
  const events = [
    [globalThis, 'online', online],
    [globalThis, 'pageshow', shown],
    [page, 'visibilitychange', shown],
  ] as const
  for (const [target, event, listener] of events) target?.addEventListener?.(event, listener)
  return () => {
    for (const [target, event, listener] of events) target?.removeEventListener?.(event, listener)
  }
}
