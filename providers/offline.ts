// The built-in model that needs no key and no network: it calls tools by simple rules, says what they gave, and says what it is.
import { setTimeout as delay } from 'node:timers/promises'
import type { GenerateRequest, GenerateResult, PromptMessage, Provider } from './provider.ts'

const WHAT_I_AM =
  "I am muxi's built-in offline model: a few fixed rules, not a language model. I answer because no provider is configured. " +
  'Set OPENAI_API_KEY (or name a model and a base_url in the agent file) and this agent will think with a real one. ' +
  'Until then I can show you that everything around the model works: this reply runs as a durable workflow, so you may kill any ' +
  'process while I am talking, start it again, and read on at the next word. Ask me for the time and I will call a tool.'

const ASKS_THE_TIME = /\b(what(?:'s| is)? the time|what time|current time|time is it|which day|what day|today'?s date|what date|what is the date)\b/i
const TIME_ZONE = /\b([A-Z][A-Za-z]+\/[A-Z][A-Za-z_]+(?:\/[A-Z][A-Za-z_]+)?|UTC)\b/

/** @param wordsPerSecond pace of the reply, so that it can be watched, stopped and resumed like a real one's */
export function offlineProvider(wordsPerSecond: number): Provider {
  return {
    name: 'offline',
    async generate(request, onText, signal) {
      const call = chooseCall(request)
      if (call) return { calls: [call], usage: usageOf(request, call.arguments) }
      const reply = compose(request.messages)
      for (const word of reply.match(/\S+\s*/g) ?? []) {
        await delay(1_000 / wordsPerSecond, undefined, { signal })
        await onText(word)
      }
      return { calls: [], usage: usageOf(request, reply) }
    },
  }
}

function chooseCall(request: GenerateRequest) {
  const last = request.messages.at(-1)
  if (last?.role !== 'user' || !ASKS_THE_TIME.test(last.content)) return undefined
  if (!request.tools.some((tool) => tool.name === 'current_time')) return undefined
  const zone = TIME_ZONE.exec(last.content)?.[1]
  return { id: 'offline_1', name: 'current_time', arguments: JSON.stringify(zone ? { time_zone: zone } : {}) }
}

function compose(messages: PromptMessage[]): string {
  const results = messages.slice(messages.findLastIndex((message) => message.role === 'user') + 1).filter((m) => m.role === 'tool')
  if (results.length > 0) return `The tool answered: ${results.map((result) => result.content).join('; ')}. (Said by the offline model.)`
  const asked = messages.findLast((message) => message.role === 'user')?.content ?? ''
  return asked === '' ? WHAT_I_AM : `You wrote: “${asked.slice(0, 200)}”. ${WHAT_I_AM}`
}

/** It has no tokens: words are counted instead. */
function usageOf(request: GenerateRequest, said: string): NonNullable<GenerateResult['usage']> {
  const words = (text: string) => text.split(/\s+/).filter(Boolean).length
  return {
    input_tokens: request.messages.reduce((sum, message) => sum + words(message.content), 0),
    output_tokens: words(said),
  }
}
