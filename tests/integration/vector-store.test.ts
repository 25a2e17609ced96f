// The index of documents on a real database: search results, hidden generations, and constraints.
import { beforeEach, describe, expect, test } from 'vitest'
import { up as indexAgain } from '../../db/migrations/023-search-words.ts'
import type { Db } from '../../db/schema.ts'
import { type DocumentGeneration, type VectorQuery, VectorsMismatch, type VectorStore } from '../../vectors/store.ts'
import type { HiddenVectors } from '../../vectors/hidden-vectors.ts'
import { createEmbedder } from '../../providers/create-embedder.ts'
import { dialects } from '../support/dialects.ts'

const embedder = createEmbedder({ openai: {} })
const { model } = embedder
const { signal } = new AbortController()

/** A question, texts, and those in which its words are. */
const WORDS: [string, string[], string[]][] = [
  ['京都', ['我爱东京都。', '北京烤鸭很好吃。', '京都の寺'], ['我爱东京都。', '京都の寺']],
  ['鸭', ['我喜欢烤鸭', '北京'], ['我喜欢烤鸭']],
  ['烤', ['我喜欢烤鸭', '北京'], ['我喜欢烤鸭']],
  ['连接', ['使用TCP连接到主机', '其他'], ['使用TCP连接到主机']],
  ['tcp', ['使用TCP连接到主机', '其他'], ['使用TCP连接到主机']],
  ['서울', ['서울에서 만나요', '부산'], ['서울에서 만나요']],
  ['กรุงเทพ', ['ฉันอยู่ที่กรุงเทพมหานคร', 'เชียงใหม่'], ['ฉันอยู่ที่กรุงเทพมหานคร']],
  ['STRASSE', ['Die Straße ist lang.', 'Ein Platz.'], ['Die Straße ist lang.']],
  ['cafe', ['Un Café noir', 'Un thé'], ['Un Café noir']],
  ['finance', ['ﬁnance report', 'other'], ['ﬁnance report']],
  ['to be or not to be', ['To be, or not to be', 'Nothing'], ['To be, or not to be']],
]

const SYNTAX = [
  '"',
  "'; drop table chunks; --",
  'whales"',
  'NEAR(whales',
  'whales AND',
  'OR',
  'content:whales',
  '^whales',
  'whales*',
  '(((',
  '{a b} : c',
  '-whales',
  'a"b"c',
  '\0',
  '',
  '   ',
  '🐋🐋',
  '\ud800',
  'space : "x" OR whales',
  'x '.repeat(50_000),
  '%_\\',
]

describe.each(dialects)('the index on $name', (dialect) => {
  let db: Db
  let store: VectorStore
  let hidden: HiddenVectors
  beforeEach(async () => {
    ;({ db, vectors: store, hidden } = await (await dialect.fresh()).open())
    await store.serving(embedder)
  })

  const generation = (document_id: string, more: Partial<DocumentGeneration> = {}): DocumentGeneration => ({
    model,
    agent_id: 'scholar',
    scope: '',
    document_id,
    generation: 1,
    ...more,
  })
  async function add(document: DocumentGeneration, texts: string[]): Promise<void> {
    const vectors = await embedder.embed(texts, signal)
    const chunks = texts.map((text, index) => ({ text, page: index + 1, position: index, vector: vectors[index]! }))
    await store.addChunks(document, chunks)
  }
  async function shown(document: DocumentGeneration, texts: string[]): Promise<void> {
    await add(document, texts)
    await store.publish(document.document_id, document.generation)
  }
  async function find(text: string, more: Partial<VectorQuery> = {}) {
    const [vector] = await embedder.embed([text], signal)
    return store.search({ model, agent_id: 'scholar', scopes: [''], text, vector: vector!, top_k: 5, ...more })
  }
  const contents = async (text: string, more: Partial<VectorQuery> = {}) =>
    (await find(text, more)).map((hit) => hit.content)
  const rows = async () =>
    Number(
      (
        await db
          .selectFrom('chunks')
          .select((is) => is.fn.countAll().as('n'))
          .executeTakeFirstOrThrow()
      ).n,
    )

  const SHIPS = [
    'The harbour master counts the ships.',
    'Whales were seen off the northern cape.',
    'Tea is served at five in the library.',
  ]

  test('the passage that a question is about comes first, with its document and page', async () => {
    await shown(generation('doc_ships', { knowledge_id: 'sea' }), SHIPS)
    const [first] = await find('Where have whales been seen?')
    expect(first).toMatchObject({ content: SHIPS[1], document_id: 'doc_ships', page: 2, knowledge_id: 'sea' })
    expect(first!.similarity).toBeGreaterThan(0.2)
    expect(first!.similarity).toBeLessThanOrEqual(1)
    const [same] = await find(SHIPS[2]!)
    expect(same!.similarity).toBeCloseTo(1, 4)
  })

  test('nothing is found before it is published, and a new generation replaces the old one at once', async () => {
    await add(generation('doc_ships'), SHIPS)
    expect(await find('whales')).toEqual([])
    await store.publish('doc_ships', 1)
    expect((await contents('whales'))[0]).toBe(SHIPS[1])
    await add(generation('doc_ships', { generation: 2 }), ['Whales were seen near the southern cape.'])
    expect((await contents('whales')).join()).not.toContain('southern')
    await store.publish('doc_ships', 2)
    expect(await contents('whales')).toEqual(['Whales were seen near the southern cape.'])
    expect(await rows()).toBe(1)
  })

  test('an older generation that is published late changes nothing, and its chunks are deleted', async () => {
    await add(generation('doc_ships'), SHIPS)
    await shown(generation('doc_ships', { generation: 2 }), ['Whales sing.'])
    await store.publish('doc_ships', 1)
    expect(await contents('whales')).toEqual(['Whales sing.'])
    expect(await rows()).toBe(1)
  })

  test('adding again changes nothing, also when only a part had been added', async () => {
    await add(generation('doc_ships'), SHIPS.slice(0, 2))
    await add(generation('doc_ships'), SHIPS)
    await add(generation('doc_ships'), SHIPS)
    await store.publish('doc_ships', 1)
    await store.publish('doc_ships', 1)
    expect((await contents('ships whales tea', { top_k: 10 })).toSorted()).toEqual(SHIPS.toSorted())
  })

  test('a discarded generation or document leaves nothing behind', async () => {
    await shown(generation('doc_ships'), SHIPS)
    await add(generation('doc_ships', { generation: 2 }), SHIPS)
    await store.discard('doc_ships', 2)
    expect((await contents('whales'))[0]).toBe(SHIPS[1])
    await store.discard('doc_ships')
    await store.discard('doc_ships')
    expect(await find('whales')).toEqual([])
    expect(await rows()).toBe(0)
    await shown(generation('doc_ships'), SHIPS)
    expect((await contents('whales'))[0]).toBe(SHIPS[1])
  })

  test('hidden chunks never displace visible ones, whatever their number', async () => {
    await shown(generation('doc_ships'), SHIPS)
    await add(
      generation('doc_hidden'),
      Array.from({ length: 300 }, (_, index) => `Where have whales been seen? Hidden ${index}.`),
    )
    expect((await contents('Where have whales been seen?'))[0]).toBe(SHIPS[1])
  })

  test('an agent finds its own documents, and a conversation its attachments', async () => {
    await shown(generation('doc_a'), ['Whales of the agent.'])
    await shown(generation('doc_b', { agent_id: 'other' }), ['Whales of another agent.'])
    await shown(generation('doc_c', { scope: 'conv_1' }), ['Whales of this conversation.'])
    await shown(generation('doc_d', { scope: 'conv_2' }), ['Whales of another conversation.'])
    expect(await contents('whales')).toEqual(['Whales of the agent.'])
    const both = await contents('whales', { scopes: ['', 'conv_1'] })
    expect(both.toSorted()).toEqual(['Whales of the agent.', 'Whales of this conversation.'])
    await expect(add(generation('doc_a', { scope: 'conv_1' }), ['x'])).rejects.toThrow(/^Cannot move document 'doc_a'/)
  })

  test('a search can be narrowed to one source of knowledge', async () => {
    await shown(generation('doc_a', { knowledge_id: 'sea' }), ['Whales in the sea.'])
    await shown(generation('doc_b', { knowledge_id: 'zoo' }), ['Whales in the zoo.'])
    expect(await contents('whales', { knowledge_id: 'zoo' })).toEqual(['Whales in the zoo.'])
    expect(await contents('whales', { knowledge_id: 'none' })).toEqual([])
  })

  test('full text finds words of every script on both databases alike', async () => {
    const zero = () => new Float32Array(embedder.dimension)
    for (const [index, [, texts]] of WORDS.entries()) {
      const document = generation(`doc_${index}`, { agent_id: `agent_${index}` })
      const chunks = texts.map((text, position) => ({ text, page: 1, position, vector: zero() }))
      await store.addChunks(document, chunks)
      await store.publish(document.document_id, 1)
    }
    for (const [index, [question, , found]] of WORDS.entries())
      expect
        .soft((await contents(question, { agent_id: `agent_${index}`, vector: zero() })).toSorted(), question)
        .toEqual(found.toSorted())
  })

  test('the migration indexes the words of every chunk again', async () => {
    const vector = new Float32Array(embedder.dimension)
    const chunks = ['烤鸭', 'Whales'].map((text, position) => ({ text, heading: 'Menü', page: 1, position, vector }))
    await store.addChunks(generation('doc_old'), chunks)
    await store.publish('doc_old', 1)
    await db.transaction().execute(indexAgain)
    expect(await contents('鸭', { vector })).toEqual(['烤鸭'])
    expect((await contents('menu', { vector })).toSorted()).toEqual(['Whales', '烤鸭'])
  })

  test('chunks of equal rank come in their order', async () => {
    const texts = Array.from({ length: 12 }, (_, index) => `Zeppelin number ${String(index).padStart(2, '0')}`)
    const vector = new Float32Array(embedder.dimension)
    await store.addChunks(
      generation('doc_ties'),
      texts.map((text, position) => ({ text, page: 1, position, vector })),
    )
    await store.publish('doc_ties', 1)
    expect(await contents('zeppelin', { vector, top_k: 12 })).toEqual(texts)
  })

  test('vectors and full text both count: a chunk that is first in both ranks before one that is first in one', async () => {
    const vector = (x: number) =>
      Float32Array.from({ length: embedder.dimension }, (_, index) => (index === 0 ? x : index === 1 ? 1 : 0))
    const chunk = (text: string, position: number, x: number) => ({ text, page: 1, position, vector: vector(x) })
    await store.addChunks(generation('doc_a'), [
      chunk('Nearest in meaning, without the word.', 0, 10),
      chunk('Near in meaning, and it says zeppelin.', 1, 9),
      chunk('Far off, and it says zeppelin zeppelin.', 2, -9),
    ])
    await store.publish('doc_a', 1)
    const hits = await store.search({
      model,
      agent_id: 'scholar',
      scopes: [''],
      text: 'zeppelin',
      vector: vector(10),
      top_k: 3,
    })
    expect(hits[0]!.content).toBe('Near in meaning, and it says zeppelin.')
    expect(hits.map((hit) => hit.score)).toEqual(hits.map((hit) => hit.score).toSorted((a, b) => b - a))
    expect(hits.find((hit) => hit.content.startsWith('Far'))!.similarity).toBe(0)
  })

  test('a question is never syntax', async () => {
    await shown(generation('doc_ships'), SHIPS)
    await shown(generation('doc_other', { agent_id: 'other' }), ['Whales that are not ours.'])
    for (const text of SYNTAX) {
      const asked = JSON.stringify(text).slice(0, 40)
      const hits = await find(text)
      expect(
        hits.map((hit) => hit.document_id),
        asked,
      ).not.toContain('doc_other')
      if (/whales/.test(text)) expect(hits[0]!.content, asked).toBe(SHIPS[1])
      // And it has changed nothing.
      expect(await rows(), asked).toBe(SHIPS.length + 1)
      expect((await contents('whales'))[0], asked).toBe(SHIPS[1])
    }
  })

  test('words of every script are found, with and without their accents', async () => {
    const texts = [
      'Die Größe der Straße in Köln.',
      'Crème brûlée est un dessert.',
      '鯨は北の岬で見られた。',
      '图书馆下午五点供应茶。',
      'Киты видны у мыса.',
      'วาฬอยู่ในทะเล',
      'مشاهدة الحيتان قرب الرأس',
    ]
    await shown(generation('doc_world'), texts)
    const first = async (text: string) => (await contents(text, { top_k: 1 }))[0]
    expect(await first('straße köln')).toBe(texts[0])
    expect(await first('creme brulee')).toBe(texts[1])
    expect(await first('鯨はどこで見られた')).toBe(texts[2])
    expect(await first('图书馆几点有茶?')).toBe(texts[3])
    expect(await first('киты')).toBe(texts[4])
    expect(await first('วาฬ')).toBe(texts[5])
    expect(await first('الحيتان')).toBe(texts[6])
  })

  test('models and dimensions are never mixed', async () => {
    const vector = new Float32Array(3).fill(1)
    const short = [{ text: 'x', page: 1, position: 0, vector }]
    const whole = [{ ...short[0]!, vector: new Float32Array(embedder.dimension).fill(1) }]
    const mixing = await Promise.allSettled([
      store.addChunks(generation('doc_a'), short),
      store.addChunks(generation('doc_a', { model: 'openai:other@384' }), whole),
      store.addChunks(generation('doc_a'), [...whole, { ...short[0]!, position: 1 }]),
      find('x', { vector }),
      find('x', { model: 'openai:other@384' }),
    ])
    expect(mixing).toEqual(Array(5).fill({ status: 'rejected', reason: expect.any(VectorsMismatch) }))
    await expect(find('x', { vector })).rejects.toThrow(
      "Cannot search the index: 'vector' must be of 'hashing-384' (384 dimensions), got one of 'hashing-384' (3)",
    )
    expect(await rows()).toBe(0)
  })

  test('an index without chunks takes another model at once, one with chunks keeps its own', async () => {
    const other = { model: 'openai:other@2', dimension: 2 }
    expect(await store.serving(other)).toMatchObject(other)
    expect(await store.serving(embedder)).toMatchObject({ model, dimension: embedder.dimension })
    await shown(generation('doc_a'), ['Whales.'])
    expect(await store.serving(other)).toMatchObject({ model, dimension: embedder.dimension })
    expect(await contents('whales')).toEqual(['Whales.'])
    await hidden.removeOld(signal)
    expect(await contents('whales')).toEqual(['Whales.'])
  })

  test('a vector that is part of a larger buffer is stored as itself', async () => {
    const pool = new Float32Array(3 * embedder.dimension).fill(9)
    const vector = pool.subarray(embedder.dimension, 2 * embedder.dimension)
    vector.fill(0)[5] = 1
    await store.addChunks(generation('doc_a'), [{ text: 'x', page: 1, position: 0, vector }])
    await store.publish('doc_a', 1)
    const [hit] = await find('x', { vector: new Float32Array(embedder.dimension).fill(1, 5, 6) })
    expect(hit!.similarity).toBeCloseTo(1, 5)
  })
})
