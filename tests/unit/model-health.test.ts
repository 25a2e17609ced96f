// The circuit breaker of models, and the calls that are not made because of it or of the limits of an agent.
import { expect, it } from 'vitest'
import { routedCall } from '../../activities/turn/routed-call.ts'
import { ProviderFailure, type FailureKind } from '../../providers/failure.ts'
import { ModelHealth } from '../../providers/model-health.ts'
import type { Provider } from '../../providers/provider.ts'
import { ModelRegistry, type ChainModel } from '../../providers/registry.ts'
import { OFFLINE } from '../support/call-model.ts'

const NAME = 'openai:m'
const watchedOf = (model: string) => ({ name: `openai:${model}`, server: `openai:${model}`, holder: '' })
const OWN = watchedOf('m')
const REQUEST = { model: 'm', system: '', messages: [], tools: [], passages: [] }

/** A model that fails when a test says so, and a clock that the test moves. */
function breaker() {
  let now = 0
  let failing: FailureKind | undefined
  const health = new ModelHealth(() => now)
  const model: Provider = {
    name: 'openai',
    async generate(_, onDelta) {
      now += 20
      if (failing !== undefined) throw new ProviderFailure(failing, 'Busy', { provider: 'openai' })
      await onDelta({ type: 'text', text: 'Hi' })
      return { parts: [], finish_reason: 'stop', usage: {}, warnings: [] }
    },
  }
  const watched = health.watch(model, watchedOf)
  const ask = (signal = new AbortController().signal) =>
    watched.generate(REQUEST, async () => undefined, signal).catch((error: unknown) => error)
  const fail = async (times: number, kind: FailureKind = 'retry') => {
    failing = kind
    for (let n = 0; n < times; n += 1) await ask()
    failing = undefined
  }
  return { health, ask, fail, wait: (ms: number) => (now += ms) }
}

it('opens after five failures in a row, lets one probe through after a while, and closes when it succeeds', async () => {
  const { health, ask, fail, wait } = breaker()
  await fail(4)
  expect(health.admits(OWN)).toBe(true)
  await fail(1)
  expect(health.admits(OWN)).toBe(false)
  expect(health.list()).toEqual({ [NAME]: { state: 'open', failures: 5 } })
  wait(30_000)
  expect(health.list()[NAME]!.state).toBe('half_open')
  const probe = ask()
  expect(health.admits(OWN), 'a second probe beside the first').toBe(false)
  await probe
  expect(health.admits(OWN)).toBe(true)
  expect(health.list()[NAME]).toEqual({ state: 'closed', failures: 0, first_token_ms: 20 })
})

it.each<FailureKind>(['final', 'retry'])(
  'a model whose call failed (%s) is slower than any that answers',
  async (kind) => {
    const { health, ask, fail } = breaker()
    expect(health.firstTokenOf(OWN.server)).toBeUndefined()
    await fail(1, kind)
    expect(health.firstTokenOf(OWN.server)).toBe(60_000)
    await ask()
    expect(health.firstTokenOf(OWN.server)).toBe(20)
  },
)

it('a call that was stopped because the model was too slow counts as a failure, and one that a user stopped does not', async () => {
  const stopped = async (reason: Error) => {
    const { health, fail } = breaker()
    await fail(4)
    const model: Provider = {
      name: 'openai',
      generate: () => Promise.reject(reason),
    }
    await health
      .watch(model, watchedOf)
      .generate(REQUEST, async () => undefined, AbortSignal.abort(reason))
      .catch(() => undefined)
    return health.admits(OWN)
  }
  expect(await stopped(new ProviderFailure('retry', 'Too late', { provider: 'openai' }))).toBe(false)
  expect(await stopped(new Error('Stopped'))).toBe(true)
})

it('stays open twice as long after a probe that fails', async () => {
  const { health, fail, wait } = breaker()
  await fail(5)
  wait(30_000)
  await fail(1)
  wait(40_000)
  expect(health.admits(OWN)).toBe(false)
  wait(20_000)
  expect(health.admits(OWN)).toBe(true)
})

it('a success between failures counts from zero; refused requests and stopped calls do not count', async () => {
  const { health, ask, fail } = breaker()
  await fail(4)
  await ask()
  await fail(4)
  await fail(9, 'final')
  expect(health.admits(OWN)).toBe(true)
})

it('a key that is refused or used up closes the model to its holder alone', async () => {
  const health = new ModelHealth(() => 0)
  const busy: Provider = {
    name: 'openai',
    generate: () => Promise.reject(new ProviderFailure('retry', 'No quota', { provider: 'openai', status: 429 })),
  }
  const theirs = { ...OWN, holder: 'k' }
  const watched = health.watch(busy, () => theirs)
  for (let n = 0; n < 5; n += 1)
    await watched.generate(REQUEST, async () => undefined, new AbortController().signal).catch(() => undefined)
  expect([health.admits(theirs), health.admits(OWN)]).toEqual([false, true])
  expect(health.list()).toEqual({ [NAME]: { state: 'open', failures: 5 } })
})

const registry = new ModelRegistry({
  ...OFFLINE,
  own_models: { 'openai:dear': { price: { input: 1_000, output: 0 } } },
})
function model(fields: Partial<ChainModel> = {}, name = 'dear'): ChainModel {
  const [chosen] = registry.chainOf({ model: { provider: 'openai', model: name, api_key: 'k' } }, 'file')
  return { ...chosen!, ...fields }
}
const slow: Provider = {
  name: 'openai',
  generate: (_, __, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
}
function route(chosen: ChainModel, isLast: boolean, health = new ModelHealth()) {
  const routed = routedCall(slow, { health }, { model: chosen, api_key: undefined, isLast, input_tokens: 1_000 })
  return { routed, asked: () => routed.generate(REQUEST, async () => undefined, new AbortController().signal) }
}

it('a model whose circuit is open is passed over while there is another one', async () => {
  const health = { admits: () => false } as unknown as ModelHealth
  await expect(route(model(), false, health).asked()).rejects.toMatchObject({
    kind: 'retry',
    goesOn: true,
    isUnsent: true,
  })
  expect(route(model(), true, health).routed).toBe(slow)
})

it('a call that would cost too much is not made, and the last one ends the turn', async () => {
  const limited = model({ max_cost_usd: 0.5 })
  await expect(route(limited, false).asked()).rejects.toMatchObject({ kind: 'retry', goesOn: true, isUnsent: true })
  await expect(route(limited, true).asked()).rejects.toMatchObject({
    kind: 'final',
    isUnsent: true,
    message: /more than 0.5 USD/,
  })
  expect(route(model({ max_cost_usd: 2 }), false).routed).toBe(slow)
  expect(route(model({ max_cost_usd: 0 }, 'of-unknown-price'), false).routed).toBe(slow)
})

it('a model that does not begin in time is given up for the next one', async () => {
  const limited = model({ max_first_token_ms: 5 })
  await expect(route(limited, false).asked()).rejects.toMatchObject({
    kind: 'retry',
    goesOn: true,
    isUnsent: false,
    message: 'The model did not begin to answer within 5 ms',
  })
})

it('one that begins with a call of a tool has begun', async () => {
  const calls: Provider = {
    name: 'openai',
    async generate(_, onDelta, signal) {
      await onDelta({ type: 'tool_call', text: '' })
      await new Promise((resolve) => setTimeout(resolve, 20))
      signal.throwIfAborted()
      return { parts: [], finish_reason: 'tool_calls', usage: {}, warnings: [] }
    },
  }
  const chosen = model({ max_first_token_ms: 5 })
  const asked = { model: chosen, api_key: undefined, isLast: false, request: REQUEST, input_tokens: 1 }
  const routed = routedCall(calls, { health: new ModelHealth() }, asked)
  const result = await routed.generate(REQUEST, async () => undefined, new AbortController().signal)
  expect(result.finish_reason).toBe('tool_calls')
})

it('models are asked by price or by their measured speed where the agent says so', async () => {
  const fallbacks = [
    { provider: 'openai' as const, model: 'gpt-4.1-nano' },
    { provider: 'openai' as const, model: 'of-unknown-price' },
  ]
  const config = { model: { provider: 'openai' as const, model: 'gpt-4.1', fallbacks } }
  const names = (strategy: 'cheapest' | 'fallback') =>
    registry.chainOf({ model: { ...config.model, strategy } }, 'file').map((each) => each.model)
  expect(names('cheapest')).toEqual(['gpt-4.1-nano', 'gpt-4.1', 'of-unknown-price'])
  expect(names('fallback')).toEqual(['gpt-4.1', 'gpt-4.1-nano', 'of-unknown-price'])

  const chain = registry.chainOf(config, 'file')
  const answer: Provider = {
    name: 'openai',
    async generate(_, onDelta) {
      await onDelta({ type: 'text', text: 'Hi' })
      return { parts: [], finish_reason: 'stop', usage: {}, warnings: [] }
    },
  }
  const health = registry.health.watch(answer, watchedOf)
  for (const name of ['gpt-4.1', 'of-unknown-price'])
    await health.generate({ ...REQUEST, model: name }, async () => undefined, new AbortController().signal)
  const fastest = { model: { ...config.model, strategy: 'fastest' as const } }
  expect(registry.orderOf(chain, fastest)[0]).toEqual({ provider: 'openai', model: 'gpt-4.1-nano', place: 1 })
  expect(registry.orderOf(chain, config)).toEqual(chain.map(({ provider, model: name }) => ({ provider, model: name })))
})
