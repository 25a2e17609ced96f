// What each adapter of a vendor adds to the first piece of an answer, over the vendor's client called directly: both ask the same
// double, one after the other. `node tests/bench/adapters.ts` runs it alone.
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai/web'
import OpenAI from 'openai'
import { KEY, PROTOCOLS, WireDouble, type Protocol } from '../support/wire-double.ts'
import { percentile } from './measure.ts'

const ROUNDS = 300
const WARM_UP = 50
const PROMPT = 'Hello?'

/** Asks the vendor's client directly. @returns when the first piece came */
type Direct = (baseURL: string) => () => Promise<number>

const DIRECT: Record<Protocol['name'], Direct> = {
  openai: (baseURL) => {
    const client = new OpenAI({ apiKey: KEY, baseURL, maxRetries: 0 })
    return async () => {
      const messages = [{ role: 'user' as const, content: PROMPT }]
      const stream = await client.chat.completions.create({ model: 'm', messages, stream: true })
      return firstOf(stream, (chunk) => Boolean(chunk.choices[0]?.delta.content))
    }
  },
  responses: (baseURL) => {
    const client = new OpenAI({ apiKey: KEY, baseURL, maxRetries: 0 })
    return async () => {
      const stream = await client.responses.create({ model: 'm', input: PROMPT, stream: true })
      return firstOf(stream, ({ type }) => type === 'response.output_text.delta')
    }
  },
  anthropic: (baseURL) => {
    const client = new Anthropic({ apiKey: KEY, baseURL, maxRetries: 0 })
    return async () => {
      const messages = [{ role: 'user' as const, content: PROMPT }]
      const stream = await client.messages.create({ model: 'm', max_tokens: 9, messages, stream: true })
      return firstOf(stream, ({ type }) => type === 'content_block_delta')
    }
  },
  gemini: (baseUrl) => {
    const { models } = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl } })
    return async () => {
      const stream = await models.generateContentStream({ model: 'm', contents: PROMPT })
      return firstOf(stream, ({ text }) => Boolean(text))
    }
  },
}

async function firstOf<T>(stream: AsyncIterable<T>, isText: (chunk: T) => boolean): Promise<number> {
  let first: number | undefined
  for await (const chunk of stream) if (first === undefined && isText(chunk)) first = performance.now()
  return first!
}

/** Prints a line for each protocol. */
export async function adapters(): Promise<void> {
  const double = await WireDouble.start()
  for (const protocol of PROTOCOLS) {
    const provider = double.open(protocol, { raw: true })
    const request = {
      model: 'm',
      system: '',
      messages: [{ role: 'user' as const, parts: [{ type: 'text' as const, text: PROMPT }] }],
      tools: [],
      passages: [],
    }
    const ours = async () => {
      let first: number | undefined
      await provider.generate(request, async () => void (first ??= performance.now()), new AbortController().signal)
      return first!
    }
    const direct = DIRECT[protocol.name](double.rawUrl(protocol))
    const times = { ours: [] as number[], direct: [] as number[] }
    for (let round = 0; round < ROUNDS + WARM_UP; round += 1) {
      for (const [name, ask] of [
        ['ours', ours],
        ['direct', direct],
      ] as const) {
        double.next({ events: protocol.text(['Hello', ' there']) })
        const startedAt = performance.now()
        const took = (await ask()) - startedAt
        if (round >= WARM_UP) times[name].push(took)
      }
    }
    const [own, bare] = [percentile(times.ours, 50), percentile(times.direct, 50)]
    console.log(
      `${protocol.name.padEnd(10)} client ${bare.toFixed(2)} ms, adapter ${own.toFixed(2)} ms, adds ${(own - bare).toFixed(2)} ms p50`,
    )
  }
  await double.stop()
}

if (import.meta.main) await adapters()
