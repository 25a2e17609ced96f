// How many requests are taken: MUXI_RATE_CHAT, MUXI_RATE_WRITE, MUXI_RATE_READ, MUXI_RATE_WRONG_KEY.
import type { RateLimit, RateLimits } from '../contracts/rate-limits.ts'
import type { SettingReader } from './setting-reader.ts'

const DEFAULTS: Record<keyof RateLimits, RateLimit> = {
  chat: { requests: 600, seconds: 60 },
  write: { requests: 1_200, seconds: 60 },
  read: { requests: 6_000, seconds: 60 },
  wrong_key: { requests: 60, seconds: 60 },
}
const FORM = /^([1-9]\d{0,8})\/([1-9]\d{0,6})$/

export function readRateLimits(read: SettingReader): RateLimits {
  const limitOf = (kind: keyof RateLimits): RateLimit | undefined => {
    const text = read.matching(
      `MUXI_RATE_${kind.toUpperCase()}`,
      (value) => value === 'off' || FORM.test(value),
      "a number of requests and of seconds, such as 600/60, or 'off'",
    )
    if (text === 'off') return undefined
    const [, requests, seconds] = FORM.exec(text ?? '') ?? []
    return requests === undefined ? DEFAULTS[kind] : { requests: Number(requests), seconds: Number(seconds) }
  }
  return { chat: limitOf('chat'), write: limitOf('write'), read: limitOf('read'), wrong_key: limitOf('wrong_key') }
}
