// Reads typed values from the environment and collects every fault, each a sentence ready to print.
import { isShowableAddress } from '../contracts/hosts.ts'
import type { Environment } from './environment.ts'

export interface Range {
  min: number
  max: number
}

const YES = new Set(['yes', 'true', '1', 'on'])
const NO = new Set(['no', 'false', '0', 'off'])

/** Reads settings by name. An invalid one adds a fault and returns its default, so that the others are still checked. */
export class SettingReader {
  readonly faults: string[] = []
  readonly #env: Environment

  constructor(env: Environment) {
    this.#env = env
  }

  /** Adds a fault. `got` must never contain a secret. */
  fault(name: string, expected: string, got: string): void {
    this.faults.push(`Cannot start: '${name}' must be ${expected}, got ${got}`)
  }

  text(name: string): string | undefined {
    return this.#env[name]
  }

  /** A text that `check` accepts. */
  matching(name: string, check: (value: string) => boolean, expected: string): string | undefined {
    const value = this.#env[name]
    if (value === undefined || check(value)) return value
    this.fault(name, expected, `'${value}'`)
    return undefined
  }

  /** Like `matching`, for secrets: a fault reports the length only. */
  secret(
    name: string,
    check: (value: string) => boolean = isOneToken,
    expected = 'one line of visible characters without spaces',
  ): string | undefined {
    const value = this.#env[name]
    if (value === undefined || check(value)) return value
    this.fault(name, expected, `${value.length} characters that are not shown here`)
    return undefined
  }

  /** An http(s) address, without trailing slashes. */
  url(name: string): string | undefined {
    const value = this.#env[name]
    if (value === undefined || isHttpUrl(value)) return value?.replace(/\/+$/, '')
    const shown = isShowableAddress(value) ? `'${value}'` : 'something that is not shown here'
    this.fault(name, 'an http:// or https:// address without a user name, password or query', shown)
    return undefined
  }

  integer(name: string, range: Range): number | undefined
  integer(name: string, range: Range, fallback: number): number
  integer(name: string, { min, max }: Range, fallback?: number): number | undefined {
    const value = this.#env[name]
    if (value === undefined) return fallback
    if (/^\d{1,15}$/.test(value) && Number(value) >= min && Number(value) <= max) return Number(value)
    this.fault(name, `a whole number from ${min} to ${max}`, `'${value}'`)
    return fallback
  }

  flag(name: string): boolean | undefined
  flag(name: string, fallback: boolean): boolean
  flag(name: string, fallback?: boolean): boolean | undefined {
    const value = this.#env[name]?.toLowerCase()
    if (value === undefined) return fallback
    if (YES.has(value)) return true
    if (!NO.has(value)) this.fault(name, "'yes' or 'no'", `'${this.#env[name]}'`)
    return false
  }

  oneOf<const T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.#env[name]
    if (value === undefined) return fallback
    const choice = choices.find((each) => each === value)
    if (choice === undefined) this.fault(name, `one of ${choices.map((each) => `'${each}'`).join(', ')}`, `'${value}'`)
    return choice ?? fallback
  }

  /** A comma-separated list; empty items are dropped. */
  list(name: string): string[] | undefined {
    return this.#env[name]
      ?.split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
  }

  /** Any other name with the prefix is a fault. */
  only(prefix: string, names: readonly string[]): void {
    for (const [name, value] of Object.entries(this.#env)) {
      if (value !== undefined && name.startsWith(prefix) && !names.includes(name))
        this.fault(name, `one of ${names.join(', ')}`, 'an unknown name')
    }
  }

  /** Whole numbers named `<prefix><KEY>`, one for each default; any other name with the prefix is a fault. */
  numbers<T extends Record<string, number>>(prefix: string, defaults: T, range: Range): T {
    this.only(
      prefix,
      Object.keys(defaults).map((key) => prefix + key.toUpperCase()),
    )
    const read = Object.entries(defaults).map(([key, fallback]) => [
      key,
      this.integer(prefix + key.toUpperCase(), range, fallback),
    ])
    return Object.fromEntries(read) as T
  }
}

/** Whether a value is valid in an HTTP header: visible ASCII, no spaces. */
function isOneToken(value: string): boolean {
  return /^[\x21-\x7e]+$/.test(value)
}

function isHttpUrl(value: string): boolean {
  return /^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/.test(value) && URL.canParse(value)
}
