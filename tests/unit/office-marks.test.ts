// Superscripts and merged cells in the other office formats: values keep their digits and their columns.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readOdt } from '../../media/document/readers/odf.ts'
import { readPptx } from '../../media/document/readers/pptx.ts'
import { readRtf } from '../../media/document/readers/rtf.ts'
import { zip } from '../support/documents.ts'
import { tempDir } from '../support/temp-dir.ts'

const TABLE = '| Region | 2024 | 2024 |\n| --- | --- | --- |\n| Region | Q1 | Q2 |'

function saved(bytes: string | Uint8Array): string {
  const path = join(tempDir(), 'file')
  writeFileSync(path, bytes)
  return path
}

it('RTF', async () => {
  const rtf = String.raw`{\rtf1\ansi 10{\super 6} people, H\sub 2\nosupersub O, x\super 2\plain  end\par}`
  expect((await readRtf(saved(rtf)))[0]!.text).toBe('10⁶ people, H₂O, x² end')
})

it('RTF keeps numbers of lists, and names hidden text, comments, headers and pictures, which it leaves out', async () => {
  const rtf = String.raw`{\rtf1\ansi {\header\pard Head\par}Shown{\v secret} more\v  gone\v0  again\par
{\listtext\pard\plain 7.\tab}\pard one\par {\listtext\pard\plain 8.\tab}two\par {\listtext\'b7\tab}three\par
last{\*\annotation note}{\pict 0102}\par {\deleted old}new\par}`
  const [page] = await readRtf(saved(rtf))
  expect(page!.text).toBe('Shown more again\n\n7. one\n\n8. two\n\n-   three\n\nlast\n\nnew')
  expect(page!.notices?.map(({ message, count }) => [message, count])).toEqual([
    ['Headers and footers are left out', 1],
    ['Hidden text is left out', 2],
    ['Comments are left out', 1],
    ['Text in pictures is not read', 1],
  ])
})

it('OpenDocument', async () => {
  const names = ['office', 'text', 'table', 'style'].map((name) => `xmlns:${name}="${name}"`).join(' ')
  const cell = (text: string, spans = '') => `<table:table-cell${spans}><text:p>${text}</text:p></table:table-cell>`
  const covered = '<table:covered-table-cell/>'
  const content = `<office:document-content ${names}><office:automatic-styles>
    <style:style style:name="Up"><style:text-properties style:text-position="super 58%"/></style:style></office:automatic-styles>
    <office:body><office:text><text:p>10<text:span text:style-name="Up">6</text:span> people</text:p><table:table>
    <table:table-row>${cell('Region', ' table:number-rows-spanned="2"')}${cell('2024', ' table:number-columns-spanned="2"')}${covered}</table:table-row>
    <table:table-row>${covered}${cell('Q1')}${cell('Q2')}</table:table-row></table:table></office:text></office:body></office:document-content>`
  const file = zip({
    mimetype: 'application/vnd.oasis.opendocument.text',
    'content.xml': content,
    'META-INF/manifest.xml': '<manifest:manifest xmlns:manifest="m"/>',
  })
  expect((await readOdt(saved(file)))[0]!.text).toBe(`10⁶ people\n\n${TABLE}`)
})

it('PPTX', async () => {
  const types = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
  const run = (text: string, more = '') => `<a:r><a:rPr${more}/><a:t>${text}</a:t></a:r>`
  const cell = (text: string, more = '') => `<a:tc${more}><a:txBody><a:p>${text && run(text)}</a:p></a:txBody></a:tc>`
  const slide = `<p:sld xmlns:p="p" xmlns:a="a"><p:cSld><p:spTree>
    <p:sp><p:txBody><a:p>${run('10')}${run('6', ' baseline="30000"')}${run(' people')}</a:p></p:txBody></p:sp>
    <p:graphicFrame><a:graphic><a:graphicData><a:tbl>
    <a:tr>${cell('Region', ' rowSpan="2"')}${cell('2024', ' gridSpan="2"')}${cell('', ' hMerge="1"')}</a:tr>
    <a:tr>${cell('', ' vMerge="1"')}${cell('Q1')}${cell('Q2')}</a:tr></a:tbl></a:graphicData></a:graphic></p:graphicFrame>
    </p:spTree></p:cSld></p:sld>`
  const relation = `<Relationships xmlns="r"><Relationship Id="rId1" Type="${types}/slide" Target="slides/slide1.xml"/></Relationships>`
  const file = zip({
    'ppt/presentation.xml':
      '<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst><p:sldId id="256" r:id="rId1"/></p:sldIdLst></p:presentation>',
    'ppt/_rels/presentation.xml.rels': relation,
    'ppt/slides/slide1.xml': slide,
  })
  expect((await readPptx(saved(file)))[0]!.text).toBe(`10⁶ people\n\n${TABLE}`)
})
