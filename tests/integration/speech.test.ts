// Speech to text and text to speech of others, on the wire: OpenAI (aimock), a server on this machine, and Deepgram.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { LLMock } from '@copilotkit/aimock'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { billedSpeech, billedTranscription } from '../../providers/billed-model.ts'
import { openaiSpeaker } from '../../providers/speech-openai.ts'
import { deepgramTranscriber } from '../../providers/transcribe-deepgram.ts'
import { findLocalTranscriber } from '../../providers/transcribe-local.ts'
import { openaiTranscriber } from '../../providers/transcribe-openai.ts'
import { findTranscriber } from '../../providers/find-transcriber.ts'
import { WhisperDouble } from '../support/whisper-double.ts'

const mock = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent' })
const wav = Buffer.alloc(44 + 32_000)
const { signal } = new AbortController()
const billed = (provider: string, model: string) => billedTranscription({ provider, model }, undefined, {})
beforeAll(async () => {
  await mock.start()
})
afterAll(() => mock.stop())

it('transcribes with OpenAI, with times if the model returns them', async () => {
  mock.onTranscription({
    transcription: {
      text: 'Mind the gap.',
      language: 'english',
      duration: 1,
      segments: [{ id: 0, start: 0.25, end: 1, text: ' Mind the gap.' }],
    },
  })
  const open = (model: string) =>
    openaiTranscriber({ api_key: 'sk-x', base_url: `${mock.url}/v1`, billed: billed('openai', model) })
  expect(await open('whisper-1').transcribe({ wav }, signal)).toMatchObject({
    text: 'Mind the gap.',
    parts: [{ from_ms: 250, to_ms: 1_000, text: 'Mind the gap.' }],
  })
  const untimed = await open('gpt-4o-transcribe').transcribe({ wav }, signal)
  expect(untimed).toMatchObject({ text: 'Mind the gap.' })
})

it('speaks with OpenAI, and asks for the voice, speed and tone', async () => {
  mock.onSpeech(/ferry/, { audio: Buffer.from('sound').toString('base64'), format: 'mp3' })
  const speaker = openaiSpeaker({
    billed: billedSpeech({ provider: 'openai', model: 'gpt-4o-mini-tts' }, undefined, {}),
    api_key: 'sk-x',
    base_url: `${mock.url}/v1`,
  })
  const sound = await speaker.speak(
    { text: 'The ferry is late.', voice: 'coral', format: 'mp3', speed: 1.5, instructions: 'Sadly.' },
    signal,
  )
  expect(Buffer.from(sound).toString()).toBe('sound')
  expect(mock.getRequests().at(-1)?.body).toMatchObject({ model: 'gpt-4o-mini-tts' })
})

it('finds a server on this machine by its port, and none where none is running', async () => {
  const double = await WhisperDouble.start()
  const { port } = double
  const compatible = (model: string) => billed('compatible', model)
  const found = await findLocalTranscriber(compatible, [1, port])
  expect(found?.name).toBe('compatible:Systran/faster-whisper-tiny')
  const { text } = await found!.transcribe({ wav }, signal)
  expect(text, 'what was invented in silence is left out').toBe('A gull cried for 1.000 seconds.')
  await double.stop()
  expect(await findLocalTranscriber(compatible, [1, port])).toBeUndefined()
})

it('transcribes with Deepgram, and tells its refusals apart', async () => {
  const asked: { url: string; authorization: string | undefined }[] = []
  const server = createServer((request, response) => {
    asked.push({ url: request.url ?? '', authorization: request.headers.authorization })
    request.resume()
    if (request.headers.authorization !== 'Token dg-key')
      return response.writeHead(429, { 'retry-after': '3' }).end('dg-other is late')
    response.end(
      JSON.stringify({
        results: {
          channels: [{ detected_language: 'sv', alternatives: [{ transcript: 'Hej då.' }] }],
          utterances: [{ start: 0.1, end: 0.9, transcript: 'Hej då.' }],
        },
      }),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const nova = billed('deepgram', 'nova-3')
  const base_url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  const transcript = await deepgramTranscriber({ billed: nova, api_key: 'dg-key', base_url }).transcribe(
    { wav },
    signal,
  )
  expect(transcript).toEqual({
    text: 'Hej då.',
    language: 'sv',
    parts: [{ from_ms: 100, to_ms: 900, text: 'Hej då.' }],
  })
  expect(asked[0]?.url).toMatch(/^\/v1\/listen\?model=nova-3&.*detect_language=true/)
  const refused = deepgramTranscriber({ billed: nova, api_key: 'dg-other', base_url }).transcribe({ wav }, signal)
  await expect(refused).rejects.toMatchObject({
    kind: 'retry',
    status: 429,
    retryAfter: 3_000,
    message: '[redacted] is late',
  })
  server.close()
})

it('chooses OpenAI by its key, then Deepgram; a key for another server is no key for speech', async () => {
  const choose = async (openai: object, deepgram: object, choice?: string) =>
    (await findTranscriber({ providers: { openai }, deepgram, choice, own: {} }))?.name
  expect(await choose({ api_key: 'k' }, { api_key: 'd' })).toBe('openai:whisper-1')
  expect(await choose({ api_key: 'k', base_url: 'http://127.0.0.1:1/v1' }, { api_key: 'd' })).toBe('deepgram:nova-3')
  expect(await choose({ api_key: 'k' }, {}, 'none')).toBeUndefined()
  expect(await choose({}, {}, 'http://127.0.0.1:1/v1#tiny')).toBe('compatible:tiny')
  expect(await choose({ api_key: 'k' }, {}, 'openai:gpt-4o-transcribe')).toBe('openai:gpt-4o-transcribe')
})
