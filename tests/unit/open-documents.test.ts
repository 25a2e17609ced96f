// OpenDocument texts, presentations and drawings: what stands beside paragraphs, and what is left out.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readWhole } from '../../media/document/readers/index.ts'
import { readOdg, readOdp, readOdt } from '../../media/document/readers/odf.ts'
import { zip } from '../support/documents.ts'
import { tempDir } from '../support/temp-dir.ts'

const SPACES = ['office', 'text', 'table', 'draw', 'style', 'fo', 'presentation', 'svg', 'xlink', 'chart', 'dc', 'xml']
  .map((name) => `xmlns:${name}="urn:oasis:names:tc:opendocument:xmlns:${name}:1.0"`)
  .join(' ')

interface Source {
  body: string
  /** Automatic styles of the content. */
  automatic?: string
  /** Styles, and master pages. */
  styles?: string
  masters?: string
  objects?: Record<string, string>
}

function document(type: 'text' | 'presentation' | 'drawing', source: Source): string {
  const { body, automatic = '', styles = '', masters = '', objects = {} } = source
  const file = zip({
    mimetype: `application/vnd.oasis.opendocument.${type}`,
    'content.xml': `<office:document-content ${SPACES}><office:automatic-styles>${automatic}</office:automatic-styles><office:body><office:${type}>${body}</office:${type}></office:body></office:document-content>`,
    'styles.xml': `<office:document-styles ${SPACES}><office:styles>${styles}</office:styles><office:master-styles>${masters}</office:master-styles></office:document-styles>`,
    ...Object.fromEntries(Object.entries(objects).map(([name, xml]) => [`${name}/content.xml`, xml])),
  })
  return saved(file)
}

function saved(content: string | Uint8Array): string {
  const path = join(tempDir(), 'file')
  writeFileSync(path, content)
  return path
}

async function textOf(source: Source): Promise<string> {
  const pages = await readOdt(document('text', source))
  return pages
    .map(({ text }) => text)
    .join('\n\n')
    .replaceAll(/^( *)(-|\S+[.)]) {2,}/gm, '$1$2 ')
}

const p = (text: string) => `<text:p>${text}</text:p>`
const item = (inner: string, more = '') => `<text:list-item${more}>${inner}</text:list-item>`
const list = (style: string, inner: string, more = '') =>
  `<text:list text:style-name="${style}"${more}>${inner}</text:list>`
const level = (number: number, format: string, more = '') =>
  `<text:list-level-style-number text:level="${number}" style:num-format="${format}" ${more}/>`

it('numbers lists as LibreOffice does: starts, levels, continued lists', async () => {
  const automatic = `<text:list-style style:name="L1">${level(1, '1', 'style:num-suffix="."')}${level(2, 'a', 'style:num-suffix=")" text:display-levels="2"')}</text:list-style>
    <text:list-style style:name="L2"><text:list-level-style-bullet text:level="1" text:bullet-char="•"/></text:list-style>
    <text:list-style style:name="L3">${level(1, 'I', 'text:start-value="4" style:num-prefix="("  style:num-suffix=")"')}</text:list-style>`
  const body = `${list('L1', item(p('Sail') + `<text:list>${item(p('bow'))}${item(p('stern'))}</text:list>`) + item(p('Moor')), ' xml:id="one"')}
    ${p('Text')}${list('L1', item(p('Eat')), ' text:continue-list="one"')}${list('L1', item(p('Again')))}
    ${list('L2', item(p('Dogs')) + item(`<text:list>${item(p('small'))}</text:list>`))}
    ${list('L3', item(p('Four')) + item(p('Nine'), ' text:start-value="9"') + `<text:list-header>${p('None')}</text:list-header>`)}`
  expect(await textOf({ body, automatic })).toBe(
    '1. Sail\n    1.a) bow\n    1.b) stern\n2. Moor\n\nText\n\n3. Eat\n\n1. Again\n\n- Dogs\n    - small\n\n(IV) Four\n(IX) Nine\n- None',
  )
})

it('numbers headings by the outline, or by a list around them', async () => {
  const styles = `<text:outline-style>${level(1, '1').replace('list-level-style-number', 'outline-level-style')}${level(2, '1', 'text:display-levels="2"').replace('list-level-style-number', 'outline-level-style')}</text:outline-style>`
  const h = (number: number, text: string) => `<text:h text:outline-level="${number}">${text}</text:h>`
  const body = h(1, 'Sailing') + h(2, 'Bow') + h(2, 'Stern') + h(1, 'Mooring')
  expect(await textOf({ body, styles })).toBe('# 1 Sailing\n\n## 1.1 Bow\n\n## 1.2 Stern\n\n# 2 Mooring')
  const automatic = `<text:list-style style:name="L1">${level(1, '1', 'style:num-suffix="."')}</text:list-style>`
  expect(await textOf({ automatic, body: list('L1', item(h(1, 'One')) + item(h(1, 'Two'))) })).toBe(
    '# 1. One\n\n# 2. Two',
  )
})

const cell = (inner: string) => `<table:table-cell>${inner}</table:table-cell>`
const row = (...cells: string[]) => `<table:table-row>${cells.map(cell).join('')}</table:table-row>`

it('has the rows of a table within a cell once', async () => {
  const inner = `<table:table>${row(p('A'), p('B'))}${row(p('1'), p('2'))}</table:table>`
  const body = `<table:table><table:table-header-rows>${row(p('Item'), p('Price'))}</table:table-header-rows><table:table-rows>${row(p('Bolt') + inner, p('-12'))}</table:table-rows></table:table>`
  expect(await textOf({ body })).toBe('| Item | Price |\n| --- | --- |\n| Bolt A, B; 1, 2 | -12 |')
})

const number = (value: string) =>
  `<table:table-cell office:value-type="float" office:value="${value}"><text:p>some</text:p></table:table-cell>`
const CHART = `<office:document-content ${SPACES}><office:body><office:chart><chart:chart chart:class="chart:bar"><chart:title>${p('Fares')}</chart:title>
  <chart:plot-area><chart:axis><chart:title>${p('Price in €')}</chart:title></chart:axis></chart:plot-area><table:table table:name="local-table">
  <table:table-header-rows>${row('', p('2024'), p('2025'))}</table:table-header-rows><table:table-rows><table:table-row>${cell(p('Adult'))}${number('42.5')}${number('NaN')}</table:table-row>
  <table:table-row>${cell(p('Child'))}${number('17')}${number('-1.23456789')}</table:table-row></table:table-rows></table:table></chart:chart></office:chart></office:body></office:document-content>`
const object = (name: string) =>
  `<draw:frame><draw:object xlink:href="./${name}"/><draw:image xlink:href="./ObjectReplacements/${name}"/></draw:frame>`

it('has the values of charts, and formulas as TeX; names pictures, objects and form fields', async () => {
  const [page] = await readOdt(
    document('text', {
      body: `${p(object('Object 1'))}${p(`So ${object('Object 2')} holds.`)}${p(object('Object 3'))}${p('<draw:frame><draw:image xlink:href="Pictures/a.png"/><svg:desc>The pier</svg:desc></draw:frame><draw:frame><draw:image xlink:href="./Object 4/content.xml"/></draw:frame>')}${p('<draw:control/>')}`,
      objects: {
        'Object 1': CHART,
        'Object 2':
          '<math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mrow><mi>x</mi><mo>=</mo><mn>2</mn></mrow><annotation encoding="StarMath 5.0">x = 2</annotation></semantics></math>',
        'Object 4': 'stands for a picture',
        'Object 3': `<office:document-content ${SPACES}><office:body><office:spreadsheet/></office:body></office:document-content>`,
      },
    }),
  )
  expect(page!.text).toBe(
    '**Bar chart: Fares**\n\nAxes: Price in €\n\n|  | 2024 | 2025 |\n| --- | --- | --- |\n| Adult | 42.5 |  |\n| Child | 17 | -1.23456789 |\n\nSo $x = 2$ holds.\n\n![The pier]()',
  )
  expect(page!.notices?.map(({ message, count }) => [message, count])).toEqual([
    ['Embedded objects are not read', 1],
    ['Text in pictures is not read', 1],
    ['Form fields are not read', 1],
  ])
  expect(page!.pictures).toEqual(['Object 4/content.xml'])
})

it('has comments with their authors, links and ruby; leaves hidden text out', async () => {
  const [page] = await readOdt(
    document('text', {
      automatic:
        '<style:style style:name="T1" style:family="text"><style:text-properties text:display="none"/></style:style>',
      body: `${p('The fare<office:annotation><dc:creator>Ada</dc:creator><dc:date>2026-01-01T08:00:00</dc:date><text:p>Too high?</text:p></office:annotation> is <text:a xlink:href="https://example.org/">here</text:a>')}
        ${p('<text:ruby><text:ruby-base>港</text:ruby-base><text:ruby-text>みなと</text:ruby-text></text:ruby><text:span text:style-name="T1">secret</text:span>')}
        <text:section text:display="none">${p('secret')}</text:section>`,
    }),
  )
  expect(page!.text.replaceAll(/ {2,}/g, ' ')).toBe(
    'The fare\\[Ada #1\\] is [here](https://example.org/)\n\n港(みなと)\n\n**Comments:**\n\n- \\[Ada #1\\] 2026-01-01T08:00:00: Too high?',
  )
  expect(page!.notices).toEqual([{ code: 'left_out', message: 'Hidden text is left out', count: 2 }])
})

it('has headers and footers once, without page numbers', async () => {
  const header = `<style:header>${p('Sund Ferries')}</style:header>`
  const footer = `<style:footer>${p('Page <text:page-number>3</text:page-number>')}${p('Printed in Sund')}</style:footer>`
  const masters = `<style:master-page>${header}${footer}</style:master-page><style:master-page>${header}</style:master-page>`
  expect(await textOf({ masters, body: p('Text') })).toBe('Sund Ferries\n\nText\n\nPrinted in Sund')
})

it('names hidden slides; rows at the end of a table that are empty are none', async () => {
  const pages = await readOdp(
    document('presentation', {
      automatic:
        '<style:style style:name="Off"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>',
      body: `<draw:page draw:style-name="Off">${p('Secret')}</draw:page><draw:page>${object('Object 1')}<draw:frame><table:table>${row(p('A'), p('B'))}${row(p('1'), p('2'))}${row(p(''), p(''))}</table:table><draw:image xlink:href="Pictures/preview.svm"/></draw:frame>
        <presentation:notes>${p('12.5')}</presentation:notes></draw:page>`,
      objects: { 'Object 1': CHART },
    }),
  )
  expect(pages).toEqual([
    {
      text: expect.stringMatching(
        /\| Child \| 17 \|[^]*\n\n\| A \| B \|\n.*\n\| 1 \| 2 \|\n\n\*\*Notes:\*\*\n\n12\.5$/,
      ),
      label: 'Slide 2',
      notices: [{ code: 'left_out', message: 'Hidden slides are left out', count: 1, places: ['Slide 1'] }],
    },
  ])
})

it('reads drawings, also as one XML file', async () => {
  const body = `<draw:page><draw:custom-shape>${p('Pump 12')}</draw:custom-shape><draw:g><draw:frame><draw:text-box>${p('Valve 3')}</draw:text-box></draw:frame></draw:g></draw:page><draw:page>${p('Tank')}</draw:page>`
  const flat = `<office:document ${SPACES} office:mimetype="application/vnd.oasis.opendocument.graphics"><office:body><office:drawing>${body}<draw:page><draw:frame><draw:image><office:binary-data>aGVsbG8=</office:binary-data></draw:image></draw:frame></draw:page></office:drawing></office:body></office:document>`
  expect((await readOdg(document('drawing', { body }))).map(({ text }) => text)).toEqual(['Pump 12\n\nValve 3', 'Tank'])
  expect(await readOdg(saved(flat))).toMatchObject([
    { text: 'Pump 12\n\nValve 3' },
    { text: 'Tank' },
    { text: '', notices: [{ message: 'Text in pictures is not read' }] },
  ])
})

it('says what a document without text holds', async () => {
  const hidden = document('text', { body: `<text:section text:display="none">${p('secret')}</text:section>` })
  await expect(readWhole(hidden, 'odt')).rejects.toMatchObject({
    reason: 'empty',
    message: 'The file holds no text. Hidden text is left out',
  })
})
