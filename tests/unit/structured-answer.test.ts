// Answers that must follow a schema: held back, repaired, and refused after a bounded number of requests.
import { expect, it } from 'vitest'
import { readAnswer, structuredAnswers } from '../../activities/turn/structured-answer.ts'
import { spentByFailure } from '../../activities/metered-call.ts'
import { textPart, type AssistantPart, type FinishReason } from '../../contracts/model-messages.ts'
import { ProviderFailure } from '../../providers/failure.ts'
import type { Delta, GenerateRequest, Provider } from '../../providers/provider.ts'
import type { ChainModel } from '../../providers/registry.ts'

const SCHEMA = {
  type: 'object',
  properties: { city: { type: 'string' }, rain: { type: 'boolean' } },
  required: ['city'],
  additionalProperties: false,
}
const GOOD = '{"city":"Bergen","rain":true}'
const usage = { input_tokens: 10, output_tokens: 5 }

type Answer = string | AssistantPart[] | ProviderFailure | { text: string; ends: FinishReason }

const ask = (...answers: Answer[]) => askWith({}, answers)

async function askWith(options: { shows_unfinished?: boolean }, answers: Answer[]) {
  const requests: GenerateRequest[] = []
  const shown: Delta[] = []
  const provider: Provider = {
    name: 'openai',
    async generate(request, onDelta) {
      requests.push(request)
      const answer = answers.shift()!
      if (answer instanceof ProviderFailure) throw answer
      const ends = typeof answer === 'object' && 'ends' in answer ? answer : undefined
      const parts =
        typeof answer === 'string' ? [textPart(answer)] : ends ? [textPart(ends.text)] : (answer as AssistantPart[])
      const type = ends?.ends === 'refusal' ? 'refusal' : 'text'
      for (const part of parts) if (part.type === 'text') await onDelta({ type, text: part.text })
      const finish_reason = parts.some(({ type }) => type === 'tool_call') ? ('tool_calls' as const) : ('stop' as const)
      return { parts, finish_reason: ends?.ends ?? finish_reason, usage, warnings: [] }
    },
  }
  const request = {
    model: 'm',
    system: '',
    messages: [{ role: 'user' as const, parts: [textPart('Q')] }],
    tools: [],
    passages: [],
  }
  const asked = structuredAnswers(provider, SCHEMA, options).generate(
    request,
    async (delta) => void shown.push(delta),
    new AbortController().signal,
  )
  const result = await asked.catch((error: unknown) => error as ProviderFailure)
  return { result, requests, shown: shown.map(({ text }) => text).join(''), kinds: shown.map(({ type }) => type) }
}

it('an answer that follows the schema is shown as it is', async () => {
  const { result, requests, shown } = await ask(GOOD)
  expect(result).toMatchObject({ parts: [{ text: GOOD }], usage, warnings: [] })
  expect([requests.length, shown]).toEqual([1, GOOD])
})

it('one that does not is asked for again with its faults, is never shown, and all requests are counted', async () => {
  const { result, requests, shown } = await ask('In Bergen it rains.', '{"rain":1}', `\`\`\`json\n${GOOD}\n\`\`\``)
  expect(result).toMatchObject({ parts: [{ text: GOOD }], usage: { input_tokens: 30, output_tokens: 15 } })
  expect(shown).toBe(GOOD)
  expect(requests).toHaveLength(3)
  expect(JSON.stringify(requests[2]!.messages.at(-1))).toContain("answer must have required property 'city'")
})

it.each([
  ['refusal', 'I cannot do that.', 'refused to answer'],
  ['length', '{"city":"Ber', 'reached its limit of tokens before its answer was whole'],
] as const)(
  'an end by %s is not asked for again: it is shown where the caller takes it, else a failure',
  async (ends, text, how) => {
    const shown = await askWith({ shows_unfinished: true }, [{ text, ends }, GOOD])
    expect(shown).toMatchObject({ result: { parts: [{ text }], finish_reason: ends, usage }, shown: text })
    expect([shown.requests.length, shown.kinds]).toEqual([1, [ends === 'refusal' ? 'refusal' : 'text']])
    const failed = await ask({ text, ends }, GOOD)
    expect(failed).toMatchObject({ result: { kind: 'final', how, isUnsent: true, spent: usage }, shown: '' })
    expect(failed.requests).toHaveLength(1)
    // Its last token was the last one that was left.
    expect(await ask({ text: GOOD, ends: 'length' })).toMatchObject({
      result: { finish_reason: 'length' },
      shown: GOOD,
    })
  },
)

it('after two repairs it is a final failure that tells what was spent', async () => {
  const { result, requests } = await ask('a', 'b', 'c', GOOD)
  expect(result).toMatchObject({ kind: 'final', isUnsent: true, spent: { input_tokens: 30, output_tokens: 15 } })
  expect(requests).toHaveLength(3)
  const estimate = { input_tokens: 100, output_tokens: 100 }
  const known = { costOf: () => 1 } as unknown as ChainModel['known']
  expect(spentByFailure({ known }, result, estimate)).toMatchObject({ input_tokens: 30, estimated: false })
})

it('a failure of a repair tells what was spent before it', async () => {
  const { result } = await ask('a', new ProviderFailure('retry', 'Busy', { provider: 'openai', status: 529 }))
  expect(result).toMatchObject({ kind: 'retry', status: 529, isUnsent: false, spent: usage })
  const known = { costOf: () => 1 } as unknown as ChainModel['known']
  const estimate = { input_tokens: 100, output_tokens: 100 }
  expect(spentByFailure({ known }, result, estimate)).toMatchObject({ input_tokens: 110, estimated: true })
})

it('a step that calls tools is no answer', async () => {
  const parts: AssistantPart[] = [
    textPart('Let me look.'),
    { type: 'tool_call', id: 'a', name: 'look', arguments: '{}' },
  ]
  const { result, requests } = await ask(parts)
  expect(result).toMatchObject({ parts, finish_reason: 'tool_calls' })
  expect(requests).toHaveLength(1)
})

it.each([
  ['{"city":"Bergen","rain":null}', { text: '{"city":"Bergen"}' }],
  ['[]', { fault: 'answer must be object' }],
  ['{"city":1}', { fault: 'answer/city must be string' }],
])('%s is read as %j', (answer, read) => {
  expect(readAnswer(SCHEMA, answer)).toEqual(read)
})
