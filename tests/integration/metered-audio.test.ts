// Transcriptions and speech that are paid for: their usage rows, prices and budgets, on both databases.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { pino } from 'pino'
import type { ApiContext } from '../../api/services/context.ts'
import { speak } from '../../api/services/audio.ts'
import { sendMetered } from '../../db/metered-request.ts'
import { readBudget, setBudget } from '../../db/queries/budgets.ts'
import type { Principal } from '../../db/queries/keys.ts'
import type { Db } from '../../db/schema.ts'
import { billedSpeech } from '../../providers/billed-model.ts'
import { findTranscriber } from '../../providers/find-transcriber.ts'
import { openaiSpeaker } from '../../providers/speech-openai.ts'
import { dialects } from '../support/dialects.ts'

const OWNER = { key_id: 'key_1', user_id: 'anna', agent_id: null }
const SECONDS = 30
const wav = Buffer.alloc(44 + SECONDS * 32_000)
const { signal } = new AbortController()

/** A server of transcriptions and speech. @param answer of transcriptions */
async function serve(answer: object, status = 200) {
  let requests = 0
  const server = createServer((request, response) => {
    requests += 1
    request.resume()
    const isSpeech = request.url?.endsWith('/speech')
    response.writeHead(status, { 'content-type': isSpeech ? 'audio/mpeg' : 'application/json' })
    response.end(isSpeech ? 'sound' : JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { base_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, count: () => requests }
}

/** Transcribes half a minute. */
async function transcribe(db: Db, base_url: string, choice: string, own = {}) {
  const openai = { api_key: 'sk-x', base_url }
  const transcriber = await findTranscriber({
    providers: { openai },
    deepgram: { api_key: 'dg', base_url },
    choice,
    own,
  })
  const { billed } = transcriber!
  return sendMetered(
    db,
    { kind: 'transcription', stream_id: 'job_1', owner: OWNER, billed, estimate: billed.estimate(SECONDS) },
    (count) => transcriber!.transcribe({ wav }, signal, count),
  )
}

/** Speaks a thousand characters, as POST /audio/speech does. */
async function say(db: Db, base_url: string, model: string, own = {}) {
  const billed = billedSpeech({ provider: 'openai', model }, undefined, own)
  const speaker = openaiSpeaker({ billed, api_key: 'sk-x', base_url })
  const context = { speaker, storage: { db }, closing: signal, log: pino({ level: 'silent' }) }
  const { key_id, user_id } = OWNER
  const principal = { key_id, bound_user: user_id } as Principal
  return speak(context as unknown as ApiContext, principal, { input: 'a'.repeat(1_000) }, 'req_1', signal)
}

async function open(dialect = dialects[0]!) {
  const { db } = await (await dialect.fresh()).open()
  return { db, rows: () => db.selectFrom('model_usage').selectAll().execute() }
}

describe.each(dialects)('$name', (dialect) => {
  it('a transcription that is billed by time has its seconds, and the price of a minute', async () => {
    const { db, rows } = await open(dialect)
    const { base_url } = await serve({ text: 'Hi', usage: { type: 'duration', seconds: 31 } })
    await transcribe(db, base_url, 'openai:whisper-1')
    const [row] = await rows()
    expect(row).toMatchObject({
      ...OWNER,
      kind: 'transcription',
      stream_id: 'job_1',
      provider: 'openai',
      model: 'whisper-1',
      status: 'completed',
      input_tokens: 0,
      output_tokens: 0,
      units: 31,
    })
    expect(row!.cost_usd).toBeCloseTo((0.36 * 31) / 3_600, 9)
    const { spent, reserved } = await readBudget(db, { kind: 'user', id: 'anna' })
    expect(spent).toMatchObject({ requests: 1, tokens: 0, cost_usd: 0.0031 })
    expect(reserved).toEqual({ tokens: 0, cost_usd: 0 })
  })
})

it('one that is billed by tokens has them, those of sound at their own price', async () => {
  const { db, rows } = await open()
  const input_token_details = { audio_tokens: 1_000, text_tokens: 0 }
  const usage = {
    type: 'tokens',
    input_tokens: 1_000,
    input_token_details,
    output_tokens: 100,
    total_tokens: 1_100,
  }
  const { base_url } = await serve({ text: 'Hi', usage })
  await transcribe(db, base_url, 'openai:gpt-4o-transcribe')
  const [row] = await rows()
  expect(row).toMatchObject({ status: 'completed', input_tokens: 1_000, output_tokens: 100, units: SECONDS })
  expect(row!.cost_usd).toBeCloseTo((1_000 * 6 + 100 * 10) / 1e6, 9)
})

it('is estimated by the length of the sound where the server counts nothing', async () => {
  const { db, rows } = await open()
  const { base_url } = await serve({ text: 'Hi' })
  await transcribe(db, base_url, 'openai:whisper-1')
  await transcribe(db, base_url, 'openai:gpt-4o-transcribe')
  expect((await rows()).map(({ status, units, input_tokens }) => [status, units, input_tokens])).toEqual([
    ['estimated', 30, 0],
    ['estimated', 30, 300],
  ])
  // OpenAI's price of a minute is 0.006 dollars for both.
  for (const { cost_usd } of await rows()) expect(cost_usd).toBeCloseTo(0.003, 9)
})

it('has no price where none is known, unless the operator gives one', async () => {
  const { db, rows } = await open()
  const { base_url } = await serve({ results: {}, metadata: { duration: 30.5 }, text: 'Hi' })
  await transcribe(db, base_url, 'deepgram:nova-3')
  await transcribe(db, base_url, `${base_url}#whisper-1`)
  await transcribe(db, base_url, 'deepgram:nova-3', { 'deepgram:nova-3': { price_per_minute: 0.6 } })
  expect((await rows()).map(({ provider, status, units, cost_usd }) => [provider, status, units, cost_usd])).toEqual([
    ['deepgram', 'completed', 30.5, null],
    ['compatible', 'estimated', 30, null],
    ['deepgram', 'completed', 30.5, 0.305],
  ])
})

it('speech has its characters: billed as such, or as tokens that are estimated', async () => {
  const { db, rows } = await open()
  const { base_url } = await serve({})
  const own = { 'openai:tts-1': { price_per_million_characters: 15 } }
  expect(await (await say(db, base_url, 'tts-1', own)).text()).toBe('sound')
  await say(db, base_url, 'gpt-4o-mini-tts')
  await say(db, base_url, 'tts-1')
  expect(
    (await rows()).map(({ kind, status, units, input_tokens, output_tokens }) => [
      kind,
      status,
      units,
      input_tokens,
      output_tokens,
    ]),
  ).toEqual([
    ['speech', 'completed', 1_000, 0, 0],
    ['speech', 'estimated', 1_000, 250, 1_400],
    ['speech', 'completed', 1_000, 0, 0],
  ])
  const [characters, tokens, unknown] = await rows()
  expect(characters!.cost_usd).toBeCloseTo(0.015, 9)
  expect(tokens!.cost_usd).toBeCloseTo((250 * 0.6 + 1_400 * 12) / 1e6, 9)
  expect(unknown!.cost_usd).toBeNull()
})

it('sends nothing over the budget, and books nothing of a refused request', async () => {
  const { db, rows } = await open()
  const refusing = await serve({}, 400)
  await expect(transcribe(db, refusing.base_url, 'openai:whisper-1')).rejects.toMatchObject({ status: 400 })
  await expect(say(db, refusing.base_url, 'tts-1')).rejects.toMatchObject({ code: 'bad_request' })
  expect(await rows()).toEqual([])
  const { base_url, count } = await serve({ text: 'Hi' })
  await setBudget(db, { kind: 'user', id: 'anna' }, { daily_tokens: null, daily_cost_usd: 0.001 })
  await expect(transcribe(db, base_url, 'openai:whisper-1')).rejects.toMatchObject({ code: 'budget_exceeded' })
  await expect(say(db, base_url, 'gpt-4o-mini-tts')).rejects.toMatchObject({ code: 'budget_exceeded' })
  expect(count()).toBe(0)
  expect(await rows()).toEqual([])
})
