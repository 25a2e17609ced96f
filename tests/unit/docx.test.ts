// Word documents: what mammoth does not read by itself.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { readDocx } from '../../media/document/readers/docx.ts'
import { readFlatDocx } from '../../media/document/readers/flat-docx.ts'
import { zip } from '../support/documents.ts'
import { tempDir } from '../support/temp-dir.ts'

const SPACES = [
  ['w', 'http://schemas.openxmlformats.org/wordprocessingml/2006/main'],
  ['r', 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'],
  ['mc', 'http://schemas.openxmlformats.org/markup-compatibility/2006'],
  ['m', 'http://schemas.openxmlformats.org/officeDocument/2006/math'],
  ['v', 'urn:schemas-microsoft-com:vml'],
  ['a', 'http://schemas.openxmlformats.org/drawingml/2006/main'],
  ['c', 'http://schemas.openxmlformats.org/drawingml/2006/chart'],
  ['wp', 'http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing'],
  ['w14', 'http://schemas.microsoft.com/office/word/2010/wordml'],
]
  .map(([name, uri]) => `xmlns:${name}="${uri}"`)
  .join(' ')
const RELATIONS = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'

const r = (text: string, properties = '') =>
  `<w:r>${properties && `<w:rPr>${properties}</w:rPr>`}<w:t xml:space="preserve">${text}</w:t></w:r>`
const p = (runs: string, properties = '') => `<w:p>${properties && `<w:pPr>${properties}</w:pPr>`}${runs}</w:p>`
const item = (list: number, level: number, text: string) =>
  p(r(text), `<w:numPr><w:ilvl w:val="${level}"/><w:numId w:val="${list}"/></w:numPr>`)

/** @param parts beside the document: by name, with the type of its relation */
function docx(body: string, parts: Record<string, { type: string; xml: string }> = {}): Buffer {
  const relations = Object.entries(parts).map(
    ([name, { type }], index) => `<Relationship Id="rId${index + 1}" Type="${RELATIONS}/${type}" Target="${name}"/>`,
  )
  const rels = (inner: string) =>
    `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${inner}</Relationships>`
  return zip({
    '[Content_Types].xml':
      '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
    '_rels/.rels': rels(`<Relationship Id="rId1" Type="${RELATIONS}/officeDocument" Target="word/document.xml"/>`),
    'word/document.xml': `<w:document ${SPACES}><w:body>${body}</w:body></w:document>`,
    'word/_rels/document.xml.rels': rels(relations.join('')),
    ...Object.fromEntries(Object.entries(parts).map(([name, { xml }]) => [`word/${name}`, xml])),
  })
}

function read(bytes: Uint8Array) {
  const path = join(tempDir(), 'a.docx')
  writeFileSync(path, bytes)
  return readDocx(path)
}

async function textOf(...of: Parameters<typeof docx>) {
  return (await read(docx(...of))).map(({ text }) => text).join('\n\n')
}

const sample = async (name: string) =>
  (await readDocx(fileURLToPath(new URL(`../fixtures/cases/${name}.docx`, import.meta.url))))[0]!.text

describe('the cases', () => {
  it('has the text of text boxes once, behind their paragraph, in each encoding', async () => {
    expect(await sample('text-boxes')).toBe(
      'para a\n\nBOX-BOTH\n\nplain 1\n\npara b\n\nBOX-WPS\n\nplain 2\n\npara c\n\nBOX-BARE',
    )
  })

  it('numbers headings and lists as Word does', async () => {
    const text = await sample('numbered-clauses')
    expect(text).toMatch(/^# 3 Liability$/m)
    expect(text).toMatch(/^## 3\.1 Cap on damages$/m)
    expect(text).toMatch(/^## 3\.2 Exceptions$/m)
    expect(text).toMatch(/^7\. seventh item\n8\. eighth item$/m)
    expect(text).toMatch(/^### Unnumbered heading$/m)
  })

  it('keeps columns below vertically merged cells', async () => {
    expect(await sample('merged-cells')).toContain(
      '| Region | 2024 | 2024 |\n| --- | --- | --- |\n| Region | Q1 | Q2 |\n| North | 11 | 12 |',
    )
  })
})

describe('automatic numbers', () => {
  const level = (index: number, format: string, text: string, more = '') =>
    `<w:lvl w:ilvl="${index}"><w:start w:val="1"/><w:numFmt w:val="${format}"/>${more}<w:lvlText w:val="${text}"/></w:lvl>`
  const numbering = (levels: string, lists = '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>') => ({
    'numbering.xml': {
      type: 'numbering',
      xml: `<w:numbering ${SPACES}><w:abstractNum w:abstractNumId="0">${levels}</w:abstractNum>${lists}</w:numbering>`,
    },
  })
  const lines = (text: string) => text.split(/\n+/).map((line) => line.trim())

  it('restart below each higher level, unless the level says otherwise', async () => {
    const body = [0, 1, 1, 0, 1, 2, 2].map((at, index) => item(1, at, `x${index}`)).join('')
    const levels = level(0, 'decimal', '%1.') + level(1, 'lowerLetter', '%2)') + level(2, 'upperRoman', '%1-%3')
    expect(lines(await textOf(body, numbering(levels)))).toEqual([
      '1. x0',
      'a) x1',
      'b) x2',
      '2. x3',
      'a) x4',
      '2-I x5',
      '2-II x6',
    ])
    const through = level(0, 'decimal', '%1.') + level(1, 'decimal', '§ %2', '<w:lvlRestart w:val="0"/>')
    expect(
      lines(await textOf(body.slice(0, body.indexOf('x5')) + 'x5</w:t></w:r></w:p>', numbering(through))),
    ).toContain('§ 3 x4')
  })

  it('continue in another list of the same definition, unless it has a start of its own', async () => {
    const lists =
      '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="0"/></w:num>' +
      '<w:num w:numId="3"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride></w:num>'
    const body = [1, 1, 2, 3, 3].map((list, index) => item(list, 0, `x${index}`) + p(r('between'))).join('')
    const text = await textOf(body, numbering(level(0, 'decimal', '(%1)'), lists))
    expect(lines(text).filter((line) => line !== 'between')).toEqual(['(1) x0', '(2) x1', '(3) x2', '(5) x3', '(6) x4'])
  })

  it('of unknown formats are digits, with a notice', async () => {
    const [page] = await read(docx(item(1, 0, 'x'), numbering(level(0, 'thaiLetters', '%1.'))))
    expect(page).toEqual({
      text: '1. x',
      notices: [{ code: 'uncertain', message: 'Numbers of a list are written with digits', count: 1 }],
    })
  })

  it('leave bullets as they are', async () => {
    expect(await textOf(item(1, 0, 'one') + item(1, 0, 'two'), numbering(level(0, 'bullet', '·')))).toMatch(
      /^- +one\n- +two$/,
    )
  })
})

it('leaves hidden text out, by itself or by a style, and says on which page', async () => {
  const styles =
    '<w:style w:type="character" w:styleId="Base"><w:rPr><w:vanish/></w:rPr></w:style><w:style w:type="character" w:styleId="Secret"><w:basedOn w:val="Base"/></w:style>'
  const body =
    p(r('Shown')) +
    p(r('page two', '') + '<w:r><w:br w:type="page"/></w:r>') +
    p(
      `${r('one ')}${r('hidden ', '<w:vanish/>')}${r('also ', '<w:vanish/>')}${r('two ', '<w:vanish w:val="0"/>')}${r('styled', '<w:rStyle w:val="Secret"/>')}${r('three')}`,
    )
  const pages = await read(
    docx(body, { 'styles.xml': { type: 'styles', xml: `<w:styles ${SPACES}>${styles}</w:styles>` } }),
  )
  expect(pages.map(({ text }) => text.trim())).toEqual(['Shown\n\npage two', 'one two three'])
  expect(pages.map(({ notices }) => notices)).toEqual([
    undefined,
    [{ code: 'left_out', message: 'Hidden text is left out', count: 2 }],
  ])
})

it('writes formulas as TeX', async () => {
  const run = (text: string) => `<m:r><m:t>${text}</m:t></m:r>`
  const fraction = `<m:f><m:num>${run('a+b')}</m:num><m:den>${run('2')}</m:den></m:f>`
  const power = `<m:sSup><m:e>${run('x')}</m:e><m:sup>${run('2')}</m:sup></m:sSup>`
  const root = `<m:rad><m:radPr><m:degHide m:val="1"/></m:radPr><m:deg/><m:e>${power}</m:e></m:rad>`
  const total = `<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>${run('i=1')}</m:sub><m:sup>${run('n')}</m:sup><m:e>${run('i')}</m:e></m:nary>`
  const text = await textOf(
    p(`${r('Area ')}<m:oMath>${fraction}${run('=')}${root}</m:oMath>${r(' holds')}`) +
      p(`<m:oMathPara><m:oMath>${total}</m:oMath></m:oMathPara>`),
  )
  expect(text).toBe(String.raw`Area $\frac{a+b}{2}=\sqrt{x^{2}}$ holds` + '\n\n' + String.raw`$\sum_{i=1}^{n} {i}$`)
})

it('shows check boxes, chosen entries, ruby, and text in other directions', async () => {
  const box = (checked: string, sign: string) =>
    `<w:sdt><w:sdtPr><w14:checkbox><w14:checked w14:val="${checked}"/></w14:checkbox></w:sdtPr><w:sdtContent>${r(sign)}</w:sdtContent></w:sdt>`
  const list =
    '<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:ddList><w:result w:val="1"/><w:listEntry w:val="Zone A"/><w:listEntry w:val="Zone B"/></w:ddList></w:ffData></w:fldChar></w:r><w:r><w:instrText>FORMDROPDOWN</w:instrText></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>'
  const ruby = `<w:r><w:ruby><w:rt>${r('かんじ')}</w:rt><w:rubyBase>${r('漢字')}</w:rubyBase></w:ruby></w:r>`
  const text = await textOf(
    p(`${box('1', '☒')}${r('Married ')}${box('0', '☐')}${r('Smoker')}`) +
      p(list) +
      p(ruby + r('を')) +
      p(`<w:dir w:val="rtl">${r('דוח 2024')}</w:dir>`),
  )
  expect(text).toBe('☑ Married ☐ Smoker\n\nZone B\n\n漢字(かんじ)を\n\nדוח 2024')
})

it('has headers and footers once, without page numbers, with their text boxes', async () => {
  const field = (instruction: string, result: string) =>
    `<w:fldSimple w:instr=" ${instruction} ">${r(result)}</w:fldSimple>`
  const part = (name: string, inner: string) => ({
    type: name,
    xml: `<w:${name === 'header' ? 'hdr' : 'ftr'} ${SPACES}>${inner}</w:${name === 'header' ? 'hdr' : 'ftr'}>`,
  })
  const art = '<w:r><w:pict><v:shape><v:textpath string="DRAFT"/></v:shape></w:pict></w:r>'
  const text = await textOf(p(r('Body')), {
    'header1.xml': part('header', p(r('Contract 2024-117')) + p(art)),
    'header2.xml': part('header', p(r('Contract 2024-117'))),
    'footer1.xml': part(
      'footer',
      p(`${r('Page ')}${field('PAGE', '3')}${r(' of ')}${field('NUMPAGES', '10')}`) + p(r('Printed in Sund')),
    ),
  })
  expect(text).toBe('Contract 2024-117\n\nDRAFT\n\nBody\n\nPrinted in Sund')
})

it('has comments with their author, and notes', async () => {
  const text = await textOf(
    p(
      `${r('The fare')}<w:r><w:commentReference w:id="0"/></w:r><w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:endnoteReference w:id="2"/></w:r>`,
    ),
    {
      'comments.xml': {
        type: 'comments',
        xml: `<w:comments ${SPACES}><w:comment w:id="0" w:author="Ada Sund" w:initials="AS">${p(r('Too high?'))}</w:comment></w:comments>`,
      },
      'footnotes.xml': {
        type: 'footnotes',
        xml: `<w:footnotes ${SPACES}><w:footnote w:id="2">${p(`${r('Except ')}${r('not ', '<w:vanish/>')}${r('on Sundays.')}`)}</w:footnote></w:footnotes>`,
      },
      'endnotes.xml': {
        type: 'endnotes',
        xml: `<w:endnotes ${SPACES}><w:endnote w:id="2">${p(r('See the annex.'))}</w:endnote></w:endnotes>`,
      },
    },
  )
  expect(text).toMatch(/^The fare/)
  expect(text).toContain('Except on Sundays.')
  expect(text).toContain('See the annex.')
  expect(text).toMatch(/Ada Sund #1[^]*Too high\?/)
  expect(text).not.toContain('↑')
})

it('has the values of charts, the text of diagrams and inserted files', async () => {
  const points = (tag: string, values: string[]) =>
    `<c:${tag}><c:strRef><c:strCache>${values.map((value, index) => `<c:pt idx="${index}"><c:v>${value}</c:v></c:pt>`).join('')}</c:strCache></c:strRef></c:${tag}>`
  const chart = `<c:chartSpace ${SPACES}><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Fares</a:t></a:r></a:p></c:rich></c:tx></c:title><c:plotArea><c:barChart><c:ser>${points('tx', ['2024'])}${points('cat', ['Adult', 'Child'])}${points('val', ['42.5', '17'])}</c:ser></c:barChart></c:plotArea></c:chart></c:chartSpace>`
  const drawing = (inner: string) =>
    `<w:r><w:drawing><wp:inline><a:graphic><a:graphicData>${inner}</a:graphicData></a:graphic></wp:inline></w:drawing></w:r>`
  const diagram = `<dgm:dataModel ${SPACES} xmlns:dgm="d"><dgm:ptLst><dgm:pt><dgm:t><a:p><a:r><a:t>Step one</a:t></a:r></a:p></dgm:t></dgm:pt></dgm:ptLst></dgm:dataModel>`
  const text = await textOf(
    p(r('Before') + drawing('<c:chart r:id="rId1"/>')) +
      p(drawing('<dgm:relIds xmlns:dgm="d" r:dm="rId2"/>')) +
      '<w:altChunk r:id="rId3"/><w:altChunk r:id="rId4"/>' +
      p(r('After')),
    {
      'charts/chart1.xml': { type: 'chart', xml: chart },
      'diagrams/data1.xml': { type: 'diagramData', xml: diagram },
      'afchunk.htm': { type: 'aFChunk', xml: '<html><body><p>Inserted <b>HTML</b></p></body></html>' },
      'afchunk.docx': { type: 'aFChunk', xml: docx(p(r('Inserted document'))) as never },
    },
  )
  expect(text).toMatch(
    /^Before\n\n\*\*Bar chart: Fares\*\*\n\n\| +\| 2024 \|\n\| --- \| --- \|\n\| Adult \| 42\.5 \|\n\| Child \| 17 \|\n\n- +Step one\n\nInserted \*\*HTML\*\*\n\nInserted document\n\nAfter$/,
  )
})

it('names the pictures of each page, for OCR', async () => {
  const picture = (id: string) =>
    `<w:r><w:drawing><wp:inline><a:graphic><a:graphicData><pic:pic xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:blipFill><a:blip r:embed="${id}"/></pic:blipFill></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>`
  const pages = await read(
    docx(p(r('One') + picture('rId1')) + p('<w:r><w:br w:type="page"/></w:r>') + p(picture('rId2') + picture('rId1')), {
      'media/a.png': { type: 'image', xml: 'x' },
      'media/b.png': { type: 'image', xml: 'x' },
    }),
  )
  expect(pages.map(({ pictures, notices }) => [pictures, notices])).toEqual([
    [['word/media/a.png'], undefined],
    [['word/media/b.png', 'word/media/a.png'], undefined],
  ])
})

it('names pictures outside of the file, objects and parts that it does not read', async () => {
  const picture =
    '<w:r><w:drawing><wp:inline><a:graphic><a:graphicData><pic:pic xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:blipFill><a:blip r:embed="rId9"/></pic:blipFill></pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>'
  const object = (program: string) =>
    `<w:r><w:object><o:OLEObject xmlns:o="urn:schemas-microsoft-com:office:office" ProgID="${program}"/></w:object></w:r>`
  const [page] = await read(
    docx(p(r('Text') + picture + object('Equation.3') + object('Excel.Sheet.12')) + '<w:altChunk r:id="rId8"/>'),
  )
  expect(page!.text.trim()).toBe('Text')
  expect(page!.notices?.map(({ message, count }) => [message, count])).toEqual([
    ['Text in pictures is not read', 1],
    ['Formulas of old editors are not read', 1],
    ['Embedded objects are not read', 1],
    ['Charts, diagrams or parts in other formats are not read', 1],
  ])
})

it('reads changes as accepted, in text that was moved or inserted', async () => {
  const text = await textOf(
    p(
      `<w:ins>${r('new ')}</w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:moveTo>${r('here')}</w:moveTo><w:moveFrom>${r('there')}</w:moveFrom>`,
    ),
  )
  expect(text).toBe('new here')
})

it('that is one XML file with all its parts is read', async () => {
  const part = (name: string, xml: string) =>
    `<pkg:part pkg:name="${name}" pkg:contentType="application/xml"><pkg:xmlData>${xml}</pkg:xmlData></pkg:part>`
  const document = `<w:document ${SPACES}><w:body>${p(r('Fares of 2026'))}</w:body></w:document>`
  const path = join(tempDir(), 'a.xml')
  writeFileSync(
    path,
    `<?xml version="1.0"?><?mso-application progid="Word.Document"?><pkg:package xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage">${part('/word/document.xml', document)}</pkg:package>`,
  )
  expect((await readFlatDocx(path))[0]!.text).toBe('Fares of 2026')
})
