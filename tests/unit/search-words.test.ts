// Words of the full-text indexes: folding, stems, and scripts without spaces.
import { describe, expect, it } from 'vitest'
import { indexWords, queryWords } from '../../contracts/search-words.ts'

/** Whether a text is found by each word of a question. */
function isFound(text: string, question: string): boolean {
  const indexed = indexWords(text)
  return queryWords(question).every(({ text: word, isPrefix }) =>
    indexed.some((each) => (isPrefix ? each.startsWith(word) : each === word)),
  )
}

describe('indexWords()', () => {
  it.each([
    ['compatibility forms', 'ﬁnance ＡＢＣ１２３ ①', ['financ', 'abc123', '1']],
    ['case, sharp s and final sigma', 'STRASSE Straße ΟΔΟΣ οδος', ['strass', 'strass', 'οδος', 'οδος']],
    ['accents', 'Café Malmö Нью-Йорк', ['cafe', 'malmo', 'нью', 'иорк']],
    ['Hebrew and Arabic points', 'שָׁלוֹם سَلَام', ['שלום', 'سلام']],
    ['English stems', 'ships running', ['ship', 'run']],
    ['a raised number apart', '10⁶', ['10', '6']],
    ['pairs of characters, then the last', '東京都', ['東京', '京都', '都']],
    ['Latin beside Chinese', 'TCP连接v2', ['tcp', '连接', '接', 'v2']],
    ['a long vowel mark', 'サーバー', ['サー', 'ーバ', 'バー', 'ー']],
    ['voiced kana in either form', 'か\u3099く', ['がく', 'く']],
    ['Korean words with endings', '서울에서', ['서울', '울에', '에서', '서']],
    ['no punctuation and no signs', 'a.b/c; 3,5 %', ['a', 'b', 'c', '3', '5']],
    ['nothing', '…', []],
  ])('gives %s', (_, text, words) => {
    expect(indexWords(text)).toEqual(words)
  })

  it('cuts endless words, never through a character', () => {
    const [word] = indexWords('𝒜'.repeat(100))
    expect(word!.length).toBeLessThanOrEqual(64)
    expect(word!.isWellFormed()).toBe(true)
  })
})

describe('characters with any number of marks', () => {
  const marked = 'ก' + '\u0e48'.repeat(700)

  it.each([marked, `${marked}ข`, `ข${marked}`, marked.repeat(3)])(
    'give words within the limits of the databases',
    (text) => {
      const words = [...indexWords(text), ...queryWords(text).map((word) => word.text)]
      for (const word of words) expect(Buffer.byteLength(word)).toBeLessThanOrEqual(192)
      expect(isFound(text, text)).toBe(true)
    },
  )
})

describe('queryWords()', () => {
  it('leaves stop words out, unless there are no others, and each word once', () => {
    expect(queryWords('Where is the ship, the SHIPS?').map(({ text }) => text)).toEqual(['ship'])
    expect(queryWords('to be or not to be').map(({ text }) => text)).toEqual(['to', 'be', 'or', 'not'])
  })

  it('reads a bounded part of a question', () => {
    const words = Array.from({ length: 5_000 }, (_, index) => `w${index}`)
    expect(queryWords(words.join(' '))).toHaveLength(16)
  })

  it.each([
    ['我喜欢北京烤鸭', '烤鸭'],
    ['我喜欢北京烤鸭', '鸭'],
    ['我喜欢北京烤鸭', '北'],
    ['使用TCP连接', '连接'],
    ['使用TCP连接', 'tcp'],
    ['ラーメンを食べる', '食べる'],
    ['서울에서 만나요', '서울'],
    ['กรุงเทพมหานคร', 'กรุงเทพ'],
    ['Die Straße', 'STRASSE'],
    ['ＰＵＭＰ', 'pump'],
  ])('finds %s by %s', (text, question) => {
    expect(isFound(text, question)).toBe(true)
  })
})
