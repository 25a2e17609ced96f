// Which embedder is chosen, and what the local one can tell apart.
import { expect, test } from 'vitest'
import { createEmbedder, findEmbedder } from '../../providers/create-embedder.ts'

const local = createEmbedder({ openai: {} })
const { signal } = new AbortController()
const embed = async (...texts: string[]) => local.embed(texts, signal)
const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, index) => sum + value * b[index]!, 0)
async function nearest(question: string, texts: string[]): Promise<string> {
  const [asked, ...vectors] = await embed(question, ...texts)
  const similarities = vectors.map((vector) => cosine(asked!, vector))
  return texts[similarities.indexOf(Math.max(...similarities))]!
}

test.each([
  [{}, undefined, 'hashing-384', 384],
  [{ api_key: 'k' }, undefined, 'openai:text-embedding-3-small@384', 384],
  [{ api_key: 'k', base_url: 'http://localhost:1/v1' }, undefined, 'hashing-384', 384],
  [{ api_key: 'k' }, 'local', 'hashing-384', 384],
  [{ base_url: 'http://localhost:1/v1' }, 'openai:some-embed-text@768', 'openai:some-embed-text@768', 768],
  [{}, 'ollama:nomic-embed-text', 'ollama:nomic-embed-text@768', 768],
  [{}, 'gemini:gemini-embedding-001', 'gemini:gemini-embedding-001@768', 768],
  [{ api_key: 'k' }, 'openai:text-embedding-3-large@1024', 'openai:text-embedding-3-large@1024', 1_024],
])('%j with %j embeds by %s', (openai, choice, model, dimension) => {
  expect(createEmbedder({ openai }, choice)).toMatchObject({ model, dimension })
})

test.each(['', 'openai', 'openai:', 'cohere:x', 'anthropic:x@3', 'openai:a@b'])(
  "the choice '%s' is refused",
  (choice) => {
    expect(() => createEmbedder({ openai: {} }, choice)).toThrow(
      /^Cannot choose embeddings: 'MUXI_EMBEDDING_MODEL' must be/,
    )
  },
)

test.each([
  [{}, 'hashing-384', 384],
  [{ openai: { api_key: 'k' } }, 'openai:text-embedding-3-small@384', 384],
  [{ openai: { base_url: 'http://localhost:1/v1' } }, 'openai:some-embed-text@768', 768],
  [{ mistral: { api_key: 'k' } }, 'mistral:mistral-embed@1024', 1_024],
  [{ gemini: { api_key: 'k' } }, 'gemini:gemini-embedding-001@768', 768],
  [{}, 'ollama:nomic-embed-text@768', 768],
  [{}, 'openai:text-embedding-3-small@384', undefined],
  [{ openai: { api_key: 'k' } }, 'mistral:mistral-embed@1024', undefined],
  [{}, 'hashing-512', undefined],
  [{}, '', undefined],
  [{ anthropic: { api_key: 'k' } }, 'anthropic:x@3', undefined],
])('with %j vectors of %s are compared in %j dimensions', (settings, model, dimension) => {
  const found = findEmbedder({ openai: {}, ...settings }, model)
  expect(found?.dimension).toBe(dimension)
  expect(found?.model).toBe(dimension && model)
})

test('the dimension of a model that is not known must be said', () => {
  expect(() => createEmbedder({ openai: {} }, 'openai:some-embed-text')).toThrow(/openai:some-embed-text@768/)
})

test('the same text has the same vector, of length 1, in every process and version', async () => {
  const [a, b] = await embed('The keeper counts the ships.', 'The keeper counts the ships.')
  expect(a).toEqual(b)
  expect(cosine(a!, a!)).toBeCloseTo(1, 5)
  // Stored vectors are compared with new ones: a change of the algorithm needs a new name of the model.
  const top = [...a!.entries()].toSorted(([, x], [, y]) => Math.abs(y) - Math.abs(x)).slice(0, 3)
  expect(top.map(([index, value]) => [index, Number(value.toFixed(3))])).toMatchInlineSnapshot(`
    [
      [
        154,
        -0.486,
      ],
      [
        265,
        0.486,
      ],
      [
        348,
        0.459,
      ],
    ]
  `)
})

test('case, accents and forms of a word hardly matter', async () => {
  const [a, b, c] = await embed(
    'The lighthouse keepers counted ships',
    'the LIGHTHOUSE keeper counts a ship',
    'Tea at five in the library',
  )
  expect(cosine(a!, b!)).toBeGreaterThan(0.6)
  expect(Math.abs(cosine(a!, c!))).toBeLessThan(0.25)
  const [d, e] = await embed('crème brûlée', 'CREME BRULEE')
  expect(cosine(d!, e!)).toBeCloseTo(1, 5)
})

test.each([
  ['How many ships does the keeper count?', 'The keeper of the lighthouse counts forty ships each morning.'],
  ['When is tea served?', 'Tea is served at five in the library.'],
  ['misspeled libary', 'The library has a small garden.'],
  ['鯨はどこにいますか', '鯨は北の岬で見られた。'],
  ['Wo stehen die Leuchttürme?', 'Der Leuchtturm steht am Kap.'],
])('%s finds its passage', async (question, answer) => {
  const others = [
    'Whales were seen off the northern cape.',
    'The train leaves at noon.',
    '図書館でお茶が出ます。',
    'Das Schiff fährt morgen ab.',
  ]
  expect(await nearest(question, [...others, answer])).toBe(answer)
})

test('texts without words have a vector of zeros, and giants do not block', async () => {
  const [empty, giant] = await embed(' …\n', 'word '.repeat(1_000_000))
  expect(empty!.every((value) => value === 0)).toBe(true)
  expect(giant!.every(Number.isFinite)).toBe(true)
})

test('an abort ends a long piece of work', async () => {
  const controller = new AbortController()
  const texts = Array.from({ length: 5_000 }, (_, index) => `${index} ${'some words of a passage '.repeat(30)}`)
  const embedding = local.embed(texts, controller.signal)
  setTimeout(() => controller.abort(new Error('stop')), 20)
  await expect(embedding).rejects.toThrow('stop')
})
