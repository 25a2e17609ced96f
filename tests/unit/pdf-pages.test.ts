// Pages of PDFs whose words liteparse's Markdown leaves out, mixes up or does not know: both engines have them in order.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type PdfEngine, readPdf } from '../../media/document/pdf-engines.ts'
import { withLineBreaks } from '../../media/document/pdf-line-breaks.ts'
import { withLostText } from '../../media/document/pdf-lost-text.ts'
import { tempDir } from '../support/temp-dir.ts'

const fixture = (name: string) => join(import.meta.dirname, '../fixtures', name)
const engines: PdfEngine[] = ['liteparse', 'pdf.js']

async function read(path: string, engine: PdfEngine) {
  return (await readPdf(path, { from: 1, to: 10 }, engine)).pages
}

describe.each(engines)('%s', (engine) => {
  it('values of form fields stand beside their labels, ticked or not; hidden ones are left out with a notice', async () => {
    const [page] = await read(fixture('form-fields.pdf'), engine)
    const lines = ['Surname: Okafor-77', 'IBAN: DE02 1203 0000', 'Married [x]', 'Smoker [ ]', 'Zone: Zone B']
    expect(page!.text).toBe(['Application form for residents', ...lines].join('\n'))
    expect(page!.notices).toEqual([{ code: 'left_out', message: 'Hidden form fields', count: 1 }])
  })

  it('lines from right to left are in the order of reading and of the page', async () => {
    const hebrewAndArabic = ['דוח רבעוני 2024', 'التقرير السنوي لعام 2024', 'חשבונית Invoice 1234 מספר']
    const lines = (text: string) => text.split(/\n+/).slice(1, -1)
    const [only] = await read(fixture('rtl.pdf'), engine)
    expect(lines(only!.text)).toEqual(hebrewAndArabic)
    const [mixed] = await read(fixture('rtl-and-ltr.pdf'), engine)
    const [first, ...others] = hebrewAndArabic
    const english = ['First line in English.', 'Between lines of English text.', 'Last line in English.']
    expect(lines(mixed!.text)).toEqual([english[0], first, english[1], ...others, english[2]])
  })

  it('text set sideways is there, line by line', async () => {
    const [turned, mixed] = await read(fixture('sideways.pdf'), engine)
    expect(turned!.text).toBe('Item Price\nBolt line two of rotated page\nThird line here')
    expect(mixed!.text).toBe('Upright intro\n\nSideways one alpha\nSideways two beta')
  })
})

it('a page that is turned as a whole keeps its words', async () => {
  const path = join(tempDir(), 'turned.pdf')
  const sideways = readFileSync(fixture('sideways.pdf'), 'latin1')
  // Without its upright words.
  writeFileSync(path, sideways.replace('(Upright intro)', '(             )'), 'latin1')
  const [, page] = await read(path, 'liteparse')
  expect(page!.text.replaceAll(/\s+/g, ' ')).toBe('Sideways one alpha Sideways two beta')
})

const item = (text: string, x: number, y: number, width = text.length * 5) => ({ text, x, y, width, height: 10 })

describe('words that the Markdown lacks', () => {
  const items = [
    item('Prices of the year', 50, 50),
    item('Bolt', 50, 80),
    item('12.50', 150, 80),
    item('Nut', 50, 100),
    item('3.75', 150, 100),
    item('All prices in euro and without any duty', 50, 130),
  ]

  it('stand after the text above them', () => {
    const table = '| Bolt | 12.50 |\n|---|---|\n| Nut |  |'
    const markdown = `# Prices of the year\n\n${table}\n\nAll prices in euro and without any duty`
    expect(withLostText(markdown, items)).toBe(
      `# Prices of the year\n\n${table}\n\n3.75\n\nAll prices in euro and without any duty`,
    )
  })

  it('make the page its lines when they are many, and nothing is added when there are none', () => {
    expect(withLostText('# Prices of the year', items)).toBe(
      'Prices of the year\n\nBolt   12.50\nNut   3.75\n\nAll prices in euro and without any duty',
    )
    const whole = 'Prices of the year Bolt 12.50 Nut 3.75 All prices in euro and with-out any duty'
    expect(withLostText(whole, items)).toBe(whole)
  })
})

it('a line that ends before its column does ends with a line end, in paragraphs only', () => {
  const lines = ['Sund Ferries', 'Pier 9', 'The next ferry leaves at noon and comes back', 'before dusk.']
  const items = lines.map((line, index) => item(line, 50, 50 + index * 12))
  const text = lines.join(' ')
  expect(withLineBreaks(text, items)).toBe(`${lines.slice(0, 3).join('\n')} ${lines[3]}`)
  expect(withLineBreaks(`# ${text}`, items)).toBe(`# ${text}`)
})
