// The built-in tool that returns the current time.
import { ToolError, type Tool } from './tool.ts'

export const currentTime: Tool = {
  name: 'current_time',
  server: 'builtin',
  description: 'Tells the current date and time, in UTC or in a time zone.',
  parameters: {
    type: 'object',
    properties: { time_zone: { type: 'string', description: "IANA name such as 'Europe/Berlin'; left out: UTC" } },
    additionalProperties: false,
  },
  idempotent: true,
  run: async ({ time_zone = 'UTC' }) => tellTime(new Date(), String(time_zone)),
}

/** The time formatted in a time zone, and as ISO-8601 in UTC. */
export function tellTime(now: Date, timeZone: string): { iso: string; time_zone: string; local: string } {
  try {
    const local = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long', timeZone }).format(now)
    return { iso: now.toISOString(), time_zone: timeZone, local }
  } catch (cause) {
    throw new ToolError(`Cannot tell the time: 'time_zone' must be an IANA time zone, got '${timeZone}'`, { cause })
  }
}
