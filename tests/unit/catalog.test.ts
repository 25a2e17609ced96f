// Prices, context windows and abilities of models: from the table, by the operator's file, by exact and by dated names.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readModelsFile } from '../../config/models-file.ts'
import type { OwnModels } from '../../contracts/schemas/own-models.ts'
import { VENDOR_NAMES } from '../../contracts/vendors.ts'
import { factsOf } from '../../providers/catalog.ts'
import { ModelRegistry } from '../../providers/registry.ts'
import { OFFLINE } from '../support/call-model.ts'

const PROVIDERS = [...VENDOR_NAMES, 'offline']
const MILLION = { input_tokens: 1_000_000, output_tokens: 1_000_000 }

function known(model: string, { provider = 'openai', address = undefined as string | undefined, own = {} } = {}) {
  return factsOf({ provider, model }, address, own)
}

function cost(...options: Parameters<typeof known>): number | undefined {
  return known(...options).costOf(MILLION)
}

describe('the price table', () => {
  it('knows a dated name by the name without its date', () => {
    expect(cost('gpt-4.1-2025-04-14')).toBe(cost('gpt-4.1'))
    expect(cost('gpt-4.1-2027-01-31')).toBe(cost('gpt-4.1'))
    expect(cost('gpt-4.1-mini-2025-04-14')).toBe(cost('gpt-4.1-mini'))
    expect(cost('claude-sonnet-4-5-20250929', { provider: 'anthropic' })).toBeGreaterThan(0)
  })

  it('does not price a model as another one whose name its own begins with', () => {
    expect(cost('o3-pro')).toBeGreaterThan(cost('o3')!)
    expect(cost('gpt-5-pro')).toBeGreaterThan(cost('gpt-5')!)
    expect(cost('gpt-4.1-custom')).toBeUndefined()
    expect(cost('gpt-4.1-2025-04-14-custom')).toBeUndefined()
  })

  it('has no price for models that it does not know', () => {
    expect(cost('llama3.2')).toBeUndefined()
    expect(cost('offline', { provider: 'offline' })).toBeUndefined()
    expect(cost('__proto__')).toBeUndefined()
  })

  it('prices cached input as such, and more cached tokens than there are as all of them', () => {
    const { costOf } = known('gpt-4.1')
    const cached = costOf({ ...MILLION, cached_tokens: 1_000_000 })!
    expect(cached).toBeLessThan(costOf(MILLION)!)
    expect(costOf({ ...MILLION, cached_tokens: 2_000_000 })).toBe(cached)
  })

  it('is that of the vendor whose address a model is called at; of any other address that of the provider', () => {
    expect(cost('deepseek-chat')).toBeUndefined()
    expect(cost('deepseek-chat', { address: 'https://api.deepseek.com/v1' })).toBeGreaterThan(0)
    expect(cost('gpt-4.1', { address: 'http://127.0.0.1:4000/v1' })).toBe(cost('gpt-4.1'))
  })

  it('knows context windows', () => {
    expect(known('gpt-4.1-2025-04-14').context_window).toBeGreaterThan(900_000)
    expect(known('llama3.2').context_window).toBeUndefined()
  })
})

it('knows models that cannot see', () => {
  expect(known('offline', { provider: 'offline' }).pictures).toBeUndefined()
  expect(known('gpt-3.5-turbo').pictures).toBeUndefined()
  expect(known('gpt-4.1-mini').pictures).toMatchObject({ max_side: 2_048 })
  expect(known('claude-x', { provider: 'anthropic' }).pictures).toMatchObject({ max_side: 1_568 })
})

describe('the file of the operator', () => {
  const own: OwnModels = {
    'openai:llama3.2': { price: { input: 1, output: 2 }, context_window: 8_192, pictures: false },
    'openai:gpt-4.1': { price: { input: 10, output: 20, cached_input: 5 } },
    'openai:gpt-4.1-2025-04-14': { context_window: 5 },
  }

  it('adds models and replaces what the table says', () => {
    expect(cost('llama3.2', { own })).toBe(3)
    expect(known('llama3.2', { own })).toMatchObject({ context_window: 8_192, pictures: undefined })
    expect(cost('gpt-4.1', { own })).toBe(30)
    expect(known('gpt-4.1', { own }).costOf({ ...MILLION, cached_tokens: 500_000 })).toBe(27.5)
    expect(known('gpt-4.1', { own }).context_window).toBe(known('gpt-4.1').context_window)
  })

  it('is looked up by the exact name first, then without the date', () => {
    expect(known('gpt-4.1-2025-04-14', { own }).context_window).toBe(5)
    expect(cost('gpt-4.1-2027-01-31', { own })).toBe(30)
  })

  it('reaches the models of a chain', () => {
    const models = new ModelRegistry({ ...OFFLINE, own_models: own })
    const [model] = models.chainOf({ model: { provider: 'openai', model: 'llama3.2' } }, 'file')
    expect(model!.known.costOf(MILLION)).toBe(3)
  })

  function file(text: string): string {
    const path = join(mkdtempSync(join(tmpdir(), 'muxi-models-')), 'models.yaml')
    writeFileSync(path, text)
    return path
  }

  it('is read from YAML', () => {
    const path = file('openai:llama3.2:\n  price: { input: 1, output: 2 }\n  context_window: 8192\n  pictures: false\n')
    expect(readModelsFile(path)).toEqual({ 'openai:llama3.2': own['openai:llama3.2'] })
    expect(readModelsFile(file(''))).toEqual({})
    expect(readModelsFile(undefined)).toEqual({})
  })

  it('is refused with all of its faults', () => {
    const path = file('llama3.2:\n  pictures: true\nopenai:a:\n  price: { input: -1 }\n  colour: red\n')
    expect(() => readModelsFile(path)).toThrow(
      [
        `Cannot load ${path}:1:1: 'llama3.2' must be named '<provider>:<model>', with one of the providers ${[...PROVIDERS, 'deepgram', 'compatible'].join(', ')}, got 'llama3.2'`,
        `Cannot load ${path}:4:3: 'openai:a.price.output' must be given (a number from 0 to 1000000), got nothing`,
        `Cannot load ${path}:4:19: 'openai:a.price.input' must be a number from 0 to 1000000, got something else`,
        `Cannot load ${path}:5:11: 'openai:a.colour' must be one of the keys price, price_per_minute, price_per_million_characters, context_window, pictures, tools, response_schema, got an unknown key`,
      ].join('\n'),
    )
  })
})
