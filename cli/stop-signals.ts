// Distinguishes the first stop request (Ctrl-C, SIGTERM, a closed terminal) from the second.

/** One Ctrl-C may arrive twice within this time, in milliseconds: from the terminal, and forwarded by the parent process. */
const SAME_REQUEST_MS = 500

/** `first` shuts down in order, `second` at once. */
export function onStopSignals({ first, second }: { first: (name: string) => void; second: () => void }): void {
  let since: number | undefined
  const stop = (name: string) => {
    if (since === undefined) {
      since = Date.now()
      first(name)
    } else if (Date.now() - since > SAME_REQUEST_MS) {
      second()
    }
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop(name))
}
