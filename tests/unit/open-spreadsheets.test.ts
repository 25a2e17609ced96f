// Spreadsheets of OpenDocument as the application shows them, with all digits.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readOds } from '../../media/document/readers/ods.ts'
import { withAllDigits } from '../../media/document/readers/shown-digits.ts'
import { openDocument } from '../support/documents.ts'
import { tempDir } from '../support/temp-dir.ts'

function read(tables: string) {
  const path = join(tempDir(), 'book.ods')
  writeFileSync(path, openDocument('spreadsheet', tables))
  return readOds(path)
}

const row = (...cells: string[]) => `<table:table-row>${cells.join('')}</table:table-row>`
const text = (words: string, more = '') =>
  `<table:table-cell office:value-type="string"${more}><text:p>${words}</text:p></table:table-cell>`
const number = (value: number, shown = String(value), type = 'float') =>
  `<table:table-cell office:value-type="${type}" office:value="${value}"><text:p>${shown}</text:p></table:table-cell>`
const COVERED = '<table:covered-table-cell/>'

test('merged cells carry their value, and header rows are joined', async () => {
  const [page] = await read(
    `<table:table table:name="Sales"><table:table-header-rows>${row(
      text('Region', ' table:number-rows-spanned="2"'),
      text('2024', ' table:number-columns-spanned="2"'),
      COVERED,
    )}${row(COVERED, text('Q1'), text('Q2'))}</table:table-header-rows>${row(text('North', ' table:number-rows-spanned="2"'), number(11), number(12))}${row(COVERED, number(21), number(22))}</table:table>`,
  )
  expect(page!.text).toBe(
    '| Region | 2024 Q1 | 2024 Q2 |\n| --- | --- | --- |\n| North | 11 | 12 |\n| North | 21 | 22 |',
  )
})

test('dates, durations, percentages, formulas and what is left out', async () => {
  const pages = await read(
    `<table:table table:name="Costs"><table:table-column/><table:table-column table:visibility="collapse"/><table:table-column/>
    ${row(text('Item'), text('Secret'), text('Value'))}
    ${row(text('Day'), text('x'), '<table:table-cell office:value-type="date" office:date-value="2024-03-01T06:00:00"><text:p>a day</text:p></table:table-cell>')}
    ${row(text('Time'), text('x'), '<table:table-cell office:value-type="time" office:time-value="PT36H00M00S"><text:p>36:00:00</text:p></table:table-cell>')}
    ${row(text('Share'), text('x'), number(0.12345, '12%', 'percentage'))}
    ${row(text('Sum'), text('x'), '<table:table-cell table:formula="of:=SUM([.C2:.C4])*[$Other.A1]"/>')}
    <table:table-row table:visibility="filter">${text('Gone')}</table:table-row>
    ${row('<table:table-cell office:value-type="string"><office:annotation><text:p>Who?</text:p></office:annotation><text:p>Noted</text:p></table:table-cell>', text('x'), text('#DIV/0!'))}
    </table:table><table:table table:name="Wages" table:style-name="Gone">${row(text('Secret'))}</table:table>`,
  )
  expect(pages[0]!.text).toBe(
    '| Item | Value |\n| --- | --- |\n| Day | 2024-03-01 06:00:00 |\n| Time | 36:00:00 |\n| Share | 12.345% |\n| Sum | =SUM(C2:C4)*$Other.A1 |\n' +
      '| Noted | #DIV/0! |\n\n**Comments:**\n\n- A7: Who?',
  )
  expect(pages[0]!.notices).toMatchObject([
    { code: 'left_out', places: ['Sheet Wages'] },
    { code: 'not_read', count: 1, places: ['Sheet Costs, C5'] },
    { code: 'left_out', places: ['Sheet Costs, row 6'] },
    { code: 'left_out', places: ['Sheet Costs, column B'] },
  ])
})

test('fractions of seconds are kept', async () => {
  const cell = (type: string, value: string, shown: string) =>
    `<table:table-cell office:value-type="${type}" office:${type}-value="${value}"><text:p>${shown}</text:p></table:table-cell>`
  const [page] = await read(
    `<table:table table:name="Runs">${row(text('Start'), text('Run'))}
    ${row(cell('date', '2024-03-01T06:00:00.789000000', 'a day'), cell('time', 'PT12H34M56.789000000S', '12:34:57'))}
    ${row(cell('date', '2024-03-01T00:00:00.000', 'a day'), cell('time', 'PT00H00M06.5S', '00:06.5'))}</table:table>`,
  )
  expect(page!.text).toContain('| 2024-03-01 06:00:00.789 | 12:34:56.789 |\n| 2024-03-01 | 00:06.5 |')
})

test.each([
  ['1.234,57 €', '1234.5678', '1.234,5678 €'],
  ['1,234.57', '1234.5678', '1,234.5678'],
  ['1,000', '1000', '1,000'],
  ['10', '9.99', '9.99'],
  ['1/3', '0.3', '0.3'],
  ['1/4', '0.25', '1/4'],
  ['1.23E+06', '1234567', '1234567'],
  ['0012', '12', '0012'],
  ['yes', '1', 'yes'],
  ['1.23457E+16', '12345678901234567', '12345678901234567'],
])('%s of %s keeps its digits: %s', (shown, value, whole) => {
  expect(withAllDigits(shown, value, false)).toBe(whole)
})
