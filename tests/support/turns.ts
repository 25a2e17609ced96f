// Turns over HTTP and in rows, for tests that look at how they are accepted and end.
import { expect } from 'vitest'
import type { Answer, Stage } from './stage.ts'

/** Settings of a sweeper that does not wait as long as in production, but longer than a busy machine needs to accept a message. */
export const SOON_SWEPT = { MUXI_ENGINE_SWEEP_MS: '1000', MUXI_ENGINE_SWEEP_AGE_MS: '10000' }
/** Enough for the sweeper, which by default skips turns that were activated within the last 30 s. */
export const SWEPT_MS = 60_000

interface Sent {
  conversation_id: string
  on_busy?: string
  key?: string
}

/** Sends a message in the background. */
export function send(stage: Stage, url: string, content: string, { key, ...more }: Sent): Promise<Answer> {
  const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key }
  return stage.call(url, '/api/v1/agents/scripted/chat', { body: { content, background: true, ...more }, headers })
}

export const cancel = (stage: Stage, url: string, turnId: string) =>
  stage.call(url, `/api/v1/turns/${turnId}/cancel`, { method: 'POST' })

export async function turnRow(stage: Stage, turnId: string) {
  const [row] = await stage.rows('select * from turns where id = ?', turnId)
  return row!
}

export async function expectStatus(stage: Stage, turnId: string, status: string, timeout = SWEPT_MS): Promise<void> {
  await expect
    .poll(async () => (await turnRow(stage, turnId))['status'], { timeout, interval: 50, message: turnId })
    .toBe(status)
}
