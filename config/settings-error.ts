// The one error of an environment that muxi cannot start with.

/** All that is wrong with the environment; the message is ready to print, one line for each fault. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
  readonly faults: readonly string[]

  constructor(faults: readonly string[], options?: ErrorOptions) {
    super(faults.join('\n'), options)
    this.faults = faults
  }
}
