// Tells a first request to stop (Ctrl-C, SIGTERM, a closed terminal) from a second, impatient one.

/** The signals of one Ctrl-C arrive twice: from the terminal, and passed on by the process that started us. */
const SAME_REQUEST_MS = 500

/** `first` ends things in order, `second` at once. */
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
