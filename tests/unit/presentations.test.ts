// Presentations of PowerPoint: what stands on slides beside paragraphs, and what is left out.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readPptx } from '../../media/document/readers/pptx.ts'
import { chart, frame, presentation } from '../support/presentation.ts'
import { tempDir } from '../support/temp-dir.ts'

function read(...of: Parameters<typeof presentation>) {
  const path = join(tempDir(), 'a.pptx')
  writeFileSync(path, presentation(...of))
  return readPptx(path)
}

const run = (text: string) => `<a:r><a:t>${text}</a:t></a:r>`
const shape = (...paragraphs: string[]) => `<p:sp><p:txBody>${paragraphs.join('')}</p:txBody></p:sp>`
const paragraph = (text: string, properties = '', level = 0) =>
  `<a:p><a:pPr lvl="${level}">${properties}</a:pPr>${run(text)}</a:p>`

it('has the values of charts as tables, as their numbers are shown', async () => {
  const [page] = await read(
    [
      {
        shapes: ['one', 'two', 'three', 'four'].map((id) => frame(`<c:chart r:id="${id}"/>`)).join(''),
        relations: {
          one: ['chart', 'one.xml'],
          two: ['chart', 'two.xml'],
          three: ['http://schemas.microsoft.com/office/2014/relationships/chartEx', 'three.xml'],
          four: ['chart', 'four.xml'],
        },
      },
    ],
    {
      'one.xml': {
        content: chart(
          'bar3D',
          [
            { name: '2024', categories: ['Adult', 'Child'], values: [0.425, 0.17] },
            { name: '2025', values: [0.5, 1 / 3] },
          ],
          { title: 'Shares', axis: 'Share of all', format: '0%' },
        ),
      },
      'two.xml': {
        content: chart('scatter', [
          { name: 'A', categories: [1, 2], values: [10, 20] },
          { name: 'B', categories: [1.5, 2.5], values: [30, 40] },
        ]),
      },
      'three.xml': {
        content:
          '<cx:chartSpace xmlns:cx="x"><cx:chartData><cx:data id="0"><cx:strDim type="cat"><cx:lvl><cx:pt idx="0">Start</cx:pt><cx:pt idx="1">Fees</cx:pt></cx:lvl></cx:strDim><cx:numDim type="val"><cx:lvl formatCode="General"><cx:pt idx="0">100</cx:pt><cx:pt idx="1">-7.5</cx:pt></cx:lvl></cx:numDim></cx:data></cx:chartData><cx:chart><cx:plotArea><cx:plotAreaRegion><cx:series layoutId="waterfall"><cx:tx><cx:txData><cx:f>A1</cx:f><cx:v>Cash</cx:v></cx:txData></cx:tx><cx:dataId val="0"/></cx:series></cx:plotAreaRegion></cx:plotArea></cx:chart></cx:chartSpace>',
      },
      'four.xml': { content: chart('pie', []) },
    },
  )
  expect(page!.text).toBe(
    `**Bar chart: Shares**

Axes: Share of all

|  | 2024 | 2025 |
| --- | --- | --- |
| Adult | 42.5% | 50% |
| Child | 17% | 33.3333333333333% |

**Scatter chart**

|  | A |
| --- | --- |
| 1 | 10 |
| 2 | 20 |

|  | B |
| --- | --- |
| 1.5 | 30 |
| 2.5 | 40 |

**Waterfall chart**

|  | Cash |
| --- | --- |
| Start | 100 |
| Fees | -7.5 |`,
  )
  expect(page!.notices).toEqual([
    { code: 'not_read', message: 'Charts or diagrams without stored values are not read', count: 1 },
  ])
})

it('has dates as categories of charts, also since 1904', async () => {
  const dates = { format: 'm/d/yyyy', space: '<c:date1904 val="1"/>' }
  const [page] = await read([{ shapes: frame('<c:chart r:id="one"/>'), relations: { one: ['chart', 'one.xml'] } }], {
    'one.xml': { content: chart('line', [{ name: 'Fares', categories: [43_830], values: ['7'] }], dates) },
  })
  expect(page!.text).toContain('| 2024-01-01 | 7 |')
})

it('has the text of diagrams, formulas, and of the newer of two versions', async () => {
  const formula =
    '<mc:AlternateContent><mc:Choice Requires="a14"><a14:m><m:oMath><m:r><m:t>x=2</m:t></m:r></m:oMath></a14:m></mc:Choice><mc:Fallback/></mc:AlternateContent>'
  const [page] = await read(
    [
      {
        shapes: `<mc:AlternateContent><mc:Choice>${shape(`<a:p>${run('So ')}${formula}</a:p>`)}</mc:Choice><mc:Fallback>${shape(paragraph('A picture'))}</mc:Fallback></mc:AlternateContent>${frame('<dgm:relIds xmlns:dgm="d" r:dm="one"/>')}`,
        relations: { one: ['diagramData', 'data.xml'] },
      },
    ],
    {
      'data.xml': {
        content:
          '<dgm:dataModel xmlns:dgm="d" xmlns:a="a"><dgm:ptLst><dgm:pt><dgm:t><a:p><a:r><a:t>Step one</a:t></a:r></a:p></dgm:t></dgm:pt></dgm:ptLst></dgm:dataModel>',
      },
    },
  )
  expect(page!.text).toMatch(/^So \$x=2\$\n\n- +Step one$/)
})

it('numbers paragraphs as PowerPoint does', async () => {
  const auto = (type: string, start = '') => `<a:buAutoNum type="${type}"${start && ` startAt="${start}"`}/>`
  const [page] = await read([
    {
      shapes: shape(
        paragraph('Sail', auto('arabicPeriod', '3')),
        paragraph('Moor', auto('arabicPeriod', '3')),
        paragraph('bow', auto('alphaLcParenR'), 1),
        paragraph('stern', auto('alphaLcParenR'), 1),
        paragraph('Eat', auto('arabicPeriod', '3')),
        paragraph('Text'),
        paragraph('Again', auto('arabicPeriod', '3')),
        paragraph('Dogs', '<a:buChar char="•"/>'),
      ),
    },
  ])
  expect(page!.text.replaceAll(/ {2,}(?=\S)/g, ' ')).toBe(
    '3. Sail\n4. Moor\n a) bow\n b) stern\n5. Eat\n\nText\n\n3. Again\n- Dogs',
  )
})

it('has comments with their authors, in both forms, and notes of digits only', async () => {
  const pages = await read(
    [
      {
        shapes: shape(paragraph('One')),
        relations: { one: ['comments', 'old.xml'], two: ['notesSlide', 'notes.xml'] },
      },
      {
        shapes: shape(paragraph('Two')),
        relations: { one: ['http://schemas.microsoft.com/office/2018/10/relationships/comments', 'new.xml'] },
      },
    ],
    {
      'commentAuthors.xml': {
        type: 'commentAuthors',
        content: '<p:cmAuthorLst xmlns:p="p"><p:cmAuthor id="0" name="Ada Sund" initials="A"/></p:cmAuthorLst>',
      },
      'authors.xml': {
        type: 'http://schemas.microsoft.com/office/2018/10/relationships/authors',
        content: '<p188:authorLst xmlns:p188="p"><p188:author id="{B}" name="Bo"/></p188:authorLst>',
      },
      'old.xml': {
        content:
          '<p:cmLst xmlns:p="p"><p:cm authorId="0" dt="2026-01-01T08:00:00.236"><p:text>Too\nhigh?</p:text></p:cm></p:cmLst>',
      },
      'new.xml': {
        content: `<p188:cmLst xmlns:p188="p" xmlns:a="a"><p188:cm authorId="{B}" created="2026-02-01T08:00:00"><p188:replyLst><p188:reply authorId="{C}"><p188:txBody><a:p>${run('Yes')}</a:p></p188:txBody></p188:reply></p188:replyLst><p188:txBody><a:p>${run('Really?')}</a:p></p188:txBody></p188:cm></p188:cmLst>`,
      },
      'notes.xml': {
        content: `<p:notes xmlns:p="p" xmlns:a="a"><p:cSld><p:spTree>${shape(paragraph('12.5'))}</p:spTree></p:cSld></p:notes>`,
      },
    },
  )
  expect(pages.map(({ text }) => text.replaceAll(/ {2,}/g, ' '))).toEqual([
    'One\n\n**Notes:**\n\n12.5\n\n**Comments:**\n\n- Ada Sund, 2026-01-01T08:00:00.236: Too high?',
    'Two\n\n**Comments:**\n\n- Bo, 2026-02-01T08:00:00: Really?\n- Yes',
  ])
})

it('names the pictures of a slide once each, for OCR', async () => {
  const blip = '<a:blip r:embed="one"/>'
  const picture = `<p:pic><p:blipFill>${blip}</p:blipFill></p:pic>`
  const pages = await read(
    [
      {
        shapes: `${picture}${picture}<p:sp><p:spPr><a:blipFill>${blip.replace('one', 'two')}</a:blipFill></p:spPr></p:sp>`,
        relations: { one: ['image', 'media/a.png'], two: ['image', 'media/b.png'] },
      },
    ],
    { 'media/a.png': { content: 'x' }, 'media/b.png': { content: 'x' } },
  )
  expect(pages).toEqual([{ text: '', label: 'Slide 1', pictures: ['ppt/media/a.png', 'ppt/media/b.png'] }])
})

it('names hidden slides, pictures outside of the file, recordings, and objects', async () => {
  const picture = (inner = '') =>
    `<p:pic><p:nvPicPr><p:cNvPr/><p:nvPr>${inner}</p:nvPr></p:nvPicPr><p:blipFill><a:blip r:embed="none"/></p:blipFill></p:pic>`
  const pages = await read([
    { shapes: shape(paragraph('Secret')), hidden: true },
    {
      shapes: `${shape(paragraph('Text'))}${picture()}${picture()}${picture('<a:videoFile r:link="none"/>')}${frame('<p:oleObj progId="Excel.Sheet.12"/>')}`,
    },
  ])
  expect(pages).toMatchObject([{ text: 'Text', label: 'Slide 2' }])
  expect(pages[0]!.notices?.map(({ message, count, places }) => [message, count, places])).toEqual([
    ['Hidden slides are left out', 1, ['Slide 1']],
    ['Text in pictures is not read', 2, undefined],
    ['Recordings in slides are not transcribed', 1, undefined],
    ['Embedded objects are not read', 1, undefined],
  ])
})
