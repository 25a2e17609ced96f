// Real sentences in the encodings that text comes in are read as they were meant.
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { decodeHtml } from '../../media/document/html.ts'
import { decodeText, textEncoding } from '../../media/document/text-encoding.ts'

const GERMAN = 'Die Fähre nach Sund legt um 7 Uhr 40 ab. Größere Gepäckstücke kosten 8 € – auch für Schüler.'
const RUSSIAN = 'Паром отходит из Сунда в семь часов сорок минут утра. Билеты продаются на пристани.'
const POLISH = 'Prom odpływa o świcie. Źdźbło trawy rośnie na łące, a żółw idzie powoli ku rzece, gdzie śpią łabędzie.'
const CZECH = 'Příliš žluťoučký kůň úpěl ďábelské ódy, když loď připlula do přístavu večer.'
const GREEK = 'Το πλοίο φεύγει από το λιμάνι στις επτά και σαράντα το πρωί. Τα εισιτήρια πωλούνται εκεί.'
const TURKISH = 'Vapur sabah yedi kırkta iskeleden kalkıyor. Biletler gişede satılır, çocuklar ücretsizdir.'
const HEBREW = 'המעבורת יוצאת מהנמל בשעה שבע וארבעים בבוקר. הכרטיסים נמכרים במזח.'
const ARABIC = 'تغادر العبارة الميناء في الساعة السابعة وأربعين دقيقة صباحا. تباع التذاكر على الرصيف.'
const JAPANESE = 'フェリーは午前七時四十分に港を出ます。切符は桟橋で売っています。子供は無料です。'
const KOREAN = '여객선은 오전 일곱 시 사십 분에 항구를 떠납니다. 표는 부두에서 팝니다.'
const CHINESE = '渡轮早上七点四十分离开港口。船票在码头出售，儿童免费乘坐。'
const TAIWANESE = '渡輪早上七點四十分離開港口。船票在碼頭出售，兒童免費乘坐。'

test.each([
  ['utf-8', GERMAN],
  ['utf-8', JAPANESE],
  ['utf-16', GERMAN],
  ['utf-16le', GERMAN],
  ['utf-16be', RUSSIAN],
  ['utf-16le', CHINESE],
  ['windows-1252', GERMAN],
  ['iso-8859-1', GERMAN.replace('€ –', 'Mark, ')],
  ['iso-8859-2', POLISH],
  ['windows-1250', CZECH],
  ['windows-1251', RUSSIAN],
  ['iso-8859-5', RUSSIAN],
  ['koi8-r', RUSSIAN],
  ['cp866', RUSSIAN],
  ['utf-32', GERMAN],
  ['iso-8859-7', GREEK],
  ['windows-1253', GREEK],
  ['iso-8859-9', TURKISH],
  ['windows-1254', TURKISH],
  ['windows-1255', HEBREW],
  ['windows-1256', ARABIC],
  ['shift_jis', JAPANESE],
  ['euc-jp', JAPANESE],
  ['iso-2022-jp', JAPANESE],
  ['euc-kr', KOREAN],
  ['gb18030', CHINESE],
  ['gbk', CHINESE],
  ['big5', TAIWANESE],
  ['utf-32', GERMAN],
  ['utf-32le', GERMAN],
  ['utf-32be', JAPANESE],
  ['ibm437', GERMAN.replace('€ –', 'Mark,')],
  ['ibm850', GERMAN.replace('€ –', 'Mark,')],
  ['ibm850', 'La préfecture a fermé l’accès à la forêt : déjà cinq kilomètres brûlés.'.replace('’', "'")],
  ['ibm866', RUSSIAN],
  ['macintosh', GERMAN],
  ['windows-1252', 'The captain’s “ferry” – it isn’t late – won’t leave… It costs £5 or €6.'],
  ['shift_jis', 'さしすせそ'],
])('%s: %s', (encoding, sentence) => {
  const text = `${sentence}\n${sentence}\n`
  const bytes = execFileSync('iconv', ['-f', 'utf-8', '-t', encoding], { input: text })
  expect(decodeText(bytes)).toBe(text)
})

test.each([
  ['declared behind a long preamble', 'windows-1251', 'windows-1251', `<!--${' '.repeat(4_000)}-->`],
  ['wrongly declared as UTF-8', 'windows-1251', 'utf-8', ''],
  ['declared as UTF-8, with one wrong byte', 'utf-8', 'utf-8', ''],
])('a page whose encoding is %s', (about, encoding, declared, preamble) => {
  const page = `${preamble}<meta charset="${declared}"><p>${RUSSIAN}</p>`
  const bytes = execFileSync('iconv', ['-f', 'utf-8', '-t', encoding], { input: page })
  const wrong = about.includes('one wrong byte') ? [Buffer.from([0xe0])] : []
  expect(decodeHtml(Buffer.concat([bytes, ...wrong]))).toContain(RUSSIAN)
})

test('a letter far behind the beginning counts, too', () => {
  const bytes = Buffer.concat([
    Buffer.from('The ferry leaves at seven. '.repeat(9_000)),
    Buffer.from('K\xf6ln', 'latin1'),
  ])
  expect(new TextDecoder(textEncoding(bytes)).decode(bytes)).toMatch(/Köln$/)
})

test('text with NUL, control characters and colours of a terminal is text without them', () => {
  const decoded = (text: string, encoding: BufferEncoding = 'utf8') => decodeText(Buffer.from(text, encoding))
  expect(decoded('zebra nul \0 inside and more words about zebras\nline two\n')).toBe(
    'zebra nul  inside and more words about zebras\nline two\n',
  )
  expect(
    decoded('K\xf6ln und M\xfcnchen\x02 sind weit voneinander entfernt, gr\xf6\xdfer ist\0 keine\n', 'latin1'),
  ).toBe('Köln und München sind weit voneinander entfernt, größer ist keine\n')
  expect(decoded('\ufeffWords\0 in the other encoding, as some programs write them\n', 'utf16le')).toBe(
    'Words in the other encoding, as some programs write them\n',
  )
  expect(decoded('\u001b[32mok\u001b[0m 12 passed')).toBe('ok 12 passed')
})

test('a page that declares another encoding than it has, or declares it late, is read as it was meant', () => {
  const russian = execFileSync('iconv', ['-f', 'utf-8', '-t', 'windows-1251'], { input: `<p>${RUSSIAN}</p>` })
  const page = (head: string) => Buffer.concat([Buffer.from(head), russian])
  const undeclared = textEncoding(russian) ?? ''
  expect(decodeHtml(page('<meta charset="utf-8">'), { undeclared })).toContain(RUSSIAN)
  const late = `<!-- ${'x'.repeat(5_000)} --><meta charset="windows-1251">`
  expect(decodeHtml(page(late), { undeclared: 'windows-1252' })).toContain(RUSSIAN)
})
