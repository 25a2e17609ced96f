// A speech-to-text server on this machine, found on the port that it usually has: whisper.cpp and faster-whisper need no key.
import type { BilledAudio } from '../contracts/billed.ts'
import { isObject } from '../contracts/json.ts'
import { mapAll } from '../contracts/map-all.ts'
import { DEFAULT_MODELS, SPEECH_TO_TEXT } from './catalog.ts'
import { openaiTranscriber } from './transcribe-openai.ts'
import type { Transcriber } from './transcriber.ts'

/** faster-whisper-server and speaches; whisper.cpp; whisper-asr-webservice and others that took the next one. */
const PORTS = [8000, 8080, 9000]
/** A server on the loopback interface answers at once; in milliseconds. */
const PATIENCE_MS = 500

/**
 * @param billedAt what a model costs at an address
 * @param ports only tests name others
 */
export async function findLocalTranscriber(
  billedAt: (model: string, address: string) => BilledAudio,
  ports: readonly number[] = PORTS,
): Promise<Transcriber | undefined> {
  const found = await mapAll(ports, (port) => lookAt(`http://127.0.0.1:${port}`, billedAt))
  return found.find((each) => each !== undefined)
}

async function lookAt(
  address: string,
  billedAt: (model: string, address: string) => BilledAudio,
): Promise<Transcriber | undefined> {
  const base_url = `${address}/v1`
  const open = (model: string) => openaiTranscriber({ billed: billedAt(model, base_url), api_key: undefined, base_url })
  const listed = await get(`${address}/v1/models`)
  const model = SPEECH_TO_TEXT.test(listed ?? '') ? modelOf(listed!) : undefined
  if (model !== undefined) return open(model)
  // whisper.cpp lists no models, and shows a page; its way is ours when it was started with
  // --inference-path /v1/audio/transcriptions.
  if (!/whisper\.cpp/i.test((await get(`${address}/`)) ?? '')) return undefined
  return open(DEFAULT_MODELS.openai.transcription)
}

function modelOf(listed: string): string | undefined {
  try {
    const list: unknown = JSON.parse(listed)
    const models = isObject(list) && Array.isArray(list['data']) ? (list['data'] as unknown[]) : []
    return models
      .map((model) => (isObject(model) ? model['id'] : undefined))
      .filter((id) => typeof id === 'string')
      .find((id) => SPEECH_TO_TEXT.test(id))
  } catch {
    return undefined
  }
}

async function get(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS), redirect: 'error' })
    return response.ok ? (await response.text()).slice(0, 65_536) : undefined
  } catch {
    return undefined
  }
}
