// Small tools of the benches: percentiles, work at a given concurrency, and a chat measured at its socket.
import type { Muxi } from './processes.ts'

export const now = () => performance.timeOrigin + performance.now()

export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((p / 100) * sorted.length))] ?? Number.NaN
}

/** Runs `work` so many times with so many at once. @returns how many a second */
export async function throughput(
  total: number,
  atOnce: number,
  work: (lane: number) => Promise<unknown>,
): Promise<number> {
  let left = total
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: atOnce }, async (_, lane) => {
      while (left-- > 0) await work(lane)
    }),
  )
  return total / ((performance.now() - startedAt) / 1_000)
}

export const authorization = (key: string, type?: string) => ({
  authorization: `Bearer ${key}`,
  ...(type !== undefined && { 'content-type': type }),
})

export interface Chat {
  turn_id: string
  /** Milliseconds from the call to the first piece of text. */
  first: number
  text: string
  /** Age of each word when it arrived, in milliseconds. */
  lags: number[]
  ended: string
}

export interface ChatOptions {
  agent?: string
  /** Called with the turn at each piece of text. */
  onText?: (turnId: string) => void
}

/** Streams one chat. */
export async function chat(
  { url, key }: Muxi,
  user: string,
  ask: object,
  { agent = 'bench', onText }: ChatOptions = {},
): Promise<Chat> {
  const startedAt = performance.now()
  const response = await fetch(`${url}/api/v1/agents/${agent}/chat/stream`, {
    method: 'POST',
    headers: authorization(key, 'application/json'),
    body: JSON.stringify({ content: JSON.stringify(ask), user_id: user }),
  })
  if (!response.ok || !response.body) throw new Error(`${response.status} ${await response.text()}`)
  const chat: Chat = { turn_id: '', first: Number.NaN, text: '', lags: [], ended: '' }
  let buffer = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body) {
    buffer += decoder.decode(chunk, { stream: true })
    for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
      const frame = buffer.slice(0, end)
      buffer = buffer.slice(end + 2)
      const event = /^event: (.*)$/m.exec(frame)?.[1]
      const data = JSON.parse(/^data: (.*)$/m.exec(frame)?.[1] ?? '{}') as { turn_id?: string; content?: string }
      if (event === 'accepted') chat.turn_id = data.turn_id ?? ''
      if (event === 'content') {
        if (chat.text === '') chat.first = performance.now() - startedAt
        chat.text += data.content
        const arrived = now()
        for (const word of (data.content ?? '').trim().split(' ')) chat.lags.push(arrived - Number(word))
        onText?.(chat.turn_id)
      }
      if (event === 'message_end' || event === 'cancelled' || event === 'error') chat.ended = event
    }
  }
  return chat
}

/** Says what was seen, with its bound where one was asked for. */
export function report(what: string, value: string, ratio?: number, bound = ''): void {
  console.log(
    `${what.padEnd(58)} ${value}${ratio === undefined ? '' : `  = ${ratio.toFixed(2)} ×`}${bound ? `  (${bound})` : ''}`,
  )
}

export function ms(value: number): string {
  return `${value.toFixed(1)} ms`
}
