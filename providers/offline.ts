// The built-in model that needs no key and no network: it calls tools by simple rules, quotes documents, and says what it is.
import { setTimeout as delay } from 'node:timers/promises'
import { bracketedName } from '../contracts/prompt-text.ts'
import { readConversion, readExpression } from './offline-arithmetic.ts'
import { textOf, textPart, type TokenUsage, type ToolCallPart } from '../contracts/model-messages.ts'
import type { GenerateRequest, Provider } from './provider.ts'

const WHAT_I_AM =
  "I am muxi's built-in offline model: a few fixed rules, not a language model. I answer because no provider is configured. " +
  'Set OPENAI_API_KEY (or name a model and a base_url in the agent file) and this agent will think with a real one. ' +
  'Until then I can show you that everything around the model works: this reply runs as a durable workflow, so you may kill any ' +
  'process while I am talking, start it again, and read on at the next word. Ask me for the time, or what 12.5% of 89.90 is, and I will call a tool.'

const ASKS_THE_TIME =
  /\b(what(?:'s| is)? the time|what time|current time|time is it|which day|what day|today'?s date|what date|what is the date)\b/i
const TIME_ZONE = /\b([A-Z][A-Za-z]+\/[A-Z][A-Za-z_]+(?:\/[A-Z][A-Za-z_]+)?|UTC)\b/

/** @param wordsPerSecond pace of the reply, so that it can be watched, stopped and resumed like a real one's */
export function offlineProvider(wordsPerSecond: number): Provider {
  return {
    name: 'offline',
    async generate(request, onDelta, signal) {
      const call = chooseCall(request)
      if (call)
        return {
          parts: [call],
          finish_reason: 'tool_calls',
          usage: usageOf(request, call.arguments),
          warnings: [],
        }
      const reply = compose(request)
      for (const word of reply.match(/\S+\s*/g) ?? []) {
        await delay(1_000 / wordsPerSecond, undefined, { signal })
        await onDelta({ type: 'text', text: word })
      }
      return { parts: [textPart(reply)], finish_reason: 'stop', usage: usageOf(request, reply), warnings: [] }
    },
  }
}

/** The first rule whose question is asked and whose tool is offered, by whichever server. */
function chooseCall({ messages, tools }: GenerateRequest): ToolCallPart | undefined {
  const last = messages.at(-1)
  if (last?.role !== 'user') return undefined
  for (const [tool, read] of Object.entries(RULES)) {
    const offered = tools.find(({ name }) => name === tool || name.endsWith(`__${tool}`))
    const parameters = offered && read(textOf(last))
    if (parameters)
      return { type: 'tool_call', id: 'offline_1', name: offered.name, arguments: JSON.stringify(parameters) }
  }
  return undefined
}

const ASKS_TO_SEARCH =
  /^(?:please )?(?:search|look on|find on) (?:the )?(?:web|internet|online) (?:for|about) (.{1,200}?)[?.!]*$/i
const ASKS_TO_READ = /^(?:please )?(?:read|open|fetch|summari[sz]e)\b.{0,40}?(https?:\/\/\S{1,1900}?)[?.!,]*$/i

/** What each tool is called with, when a question asks for it. */
const RULES: Record<string, (question: string) => object | undefined> = {
  current_time: (question) => {
    if (!ASKS_THE_TIME.test(question)) return undefined
    const zone = TIME_ZONE.exec(question)?.[1]
    return zone ? { time_zone: zone } : {}
  },
  convert: readConversion,
  calculate: (question) => {
    const expression = readExpression(question)
    return expression === undefined ? undefined : { expression }
  },
  web_search: (question) => {
    const query = ASKS_TO_SEARCH.exec(question.trim())?.[1]
    return query === undefined ? undefined : { query }
  },
  read_page: (question) => {
    const url = ASKS_TO_READ.exec(question.trim())?.[1]
    return url === undefined ? undefined : { url, max_characters: 1_000 }
  },
}

function compose({ messages, passages }: GenerateRequest): string {
  const results = messages
    .slice(messages.findLastIndex((message) => message.role === 'user') + 1)
    .flatMap((message) => (message.role === 'tool' ? message.parts : []))
  if (results.length > 0)
    return `The tool answered: ${results.map((result) => textOf({ role: 'tool', parts: [result] })).join('; ')}. (Said by the offline model.)`
  const question = messages.findLast((message) => message.role === 'user')
  const asked = question ? textOf(question) : ''
  const quoted = quote(asked, passages)
  if (quoted !== undefined) return quoted
  const received = sayReceived(asked, passages)
  if (received !== undefined) return received
  return asked === '' ? WHAT_I_AM : `You wrote: “${asked.slice(0, 200)}”. ${WHAT_I_AM}`
}

const MAX_RECEIVED = 600

/** What came with the message, when the question asks for nothing in it by name: the text of a picture, the words of a recording. */
function sayReceived(asked: string, passages: GenerateRequest['passages']): string | undefined {
  const came = passages.filter(({ document }) => asked.includes(`[Attached: ${bracketedName(document)}, `))
  const quoted = came.map(
    ({ document, content }) => `${document}: “${content.replace(/^## .*\n+/, '').slice(0, MAX_RECEIVED)}”`,
  )
  return quoted.length === 0
    ? undefined
    : `This came with your message. ${quoted.join(' ')} (Quoted by the offline model.)`
}

/** Sentences of one answer. */
const MAX_SENTENCES = 3
/** Words that stand in every question. */
export const COMMON: ReadonlySet<string> = new Set(
  'a an and any are as at be but by can could do does for from has have how i if in into is it its me my of on or our please say says so tell than that the their there they this to was we were what when where which who why will with would you your document documents file page about according'.split(
    ' ',
  ),
)

/** The sentences of the passages that share most with the question, each with its document and page; undefined when none shares anything. */
function quote(asked: string, passages: GenerateRequest['passages']): string | undefined {
  const wanted = new Set(wordsOf(asked).filter((word) => !COMMON.has(word)))
  const sentences = passages.flatMap((passage, rank) =>
    sentencesOf(passage.content).map((text) => ({ ...passage, rank, text, words: new Set(wordsOf(text)) })),
  )
  // A word that few sentences have says more than one that many have.
  const weight = new Map(
    [...wanted].map((word) => [
      word,
      Math.log(1 + sentences.length / (1 + sentences.filter(({ words }) => words.has(word)).length)),
    ]),
  )
  const scored = sentences
    .map((sentence) => ({
      ...sentence,
      score: [...wanted].reduce((sum, word) => sum + (sentence.words.has(word) ? weight.get(word)! : 0), 0),
    }))
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score || a.rank - b.rank)
  const best =
    scored[0] ?? (wanted.size === 0 ? sentences.map((sentence) => ({ ...sentence, score: 1 }))[0] : undefined)
  if (!best) return undefined
  const chosen = [best, ...scored.slice(1).filter(({ score }) => score >= best.score * 0.6)].slice(0, MAX_SENTENCES)
  const seen = new Set<string>()
  const quoted = chosen
    .filter(({ text }) => !seen.has(text) && seen.add(text))
    .map(({ text, document, page }) => `“${text}” (${document}${page === undefined ? '' : `, page ${page}`})`)
  return `I found this ${chosen.every(({ page }) => page === undefined) ? 'in what was said before' : 'in the documents'}: ${quoted.join(' ')} (Quoted by the offline model.)`
}

export function sentencesOf(text: string): string[] {
  const plain = text.replaceAll(/^#{1,6} +/gm, '').replaceAll(/\n{2,}/g, '\n\n')
  return plain
    .split('\n\n')
    .flatMap((paragraph) =>
      [...new Intl.Segmenter('en', { granularity: 'sentence' }).segment(paragraph.replaceAll('\n', ' '))]
        .map(({ segment }) => segment.trim())
        .filter(Boolean),
    )
}

/** Lower-case words without the commonest endings, so that `pumps` meets `pump`. */
export function wordsOf(text: string): string[] {
  return (text.toLowerCase().match(/[\p{L}\p{N}]+(?:[-.][\p{L}\p{N}]+)*/gu) ?? []).map((word) =>
    word.replace(/(?<=\w{3})(?:ing|ed|es|s)$/, ''),
  )
}

/** It has no tokens: words are counted instead. */
function usageOf(request: GenerateRequest, answer: string): TokenUsage {
  const words = (text: string) => text.split(/\s+/).filter(Boolean).length
  return {
    input_tokens: request.messages.reduce((sum, message) => sum + words(textOf(message)), words(request.system)),
    output_tokens: words(answer),
  }
}
