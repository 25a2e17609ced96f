// HTML as Markdown: the tree that browsers build, merged cells, superscripts, and what is left out.
import { expect, it } from 'vitest'
import type { Notice } from '../../contracts/notices.ts'
import { withoutPictures } from '../../media/document/embedded-pictures.ts'
import { markupToMarkdown } from '../../media/document/readers/markup.ts'

const rows = (markdown: string) =>
  markdown
    .split('\n')
    .filter((line) => line.startsWith('|') && !line.includes('---'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )

it.each([
  ['no html, head or body element', '<title>T</title><h1>Fares</h1><p>Adult 42'],
  ['text before the body', '<html><head></head><header>Fares</header><body><p>Adult 42</p></body></html>'],
  ['a noscript element before the body', '<html><noscript><p>Fares</p></noscript><body><p>Adult 42</p></body></html>'],
  ['content after the end', '<html><body><p>Fares</p></body></html><p>Adult 42</p>'],
  [
    'a form around the page',
    '<body><form action="/"><h1>Fares</h1><p>Adult 42</p><input type="hidden" value="x"></form>',
  ],
  ['a main part within a navigation', '<nav><h2>Fares</h2></nav><p>Adult 42</p>'],
  ['a table that is never closed', '<h1>Fares<table><tr><td>Adult<td>42'],
])('reads a page with %s', (_, html) => {
  const markdown = markupToMarkdown(html)
  expect(markdown).toMatch(/Fares/)
  expect(markdown).toMatch(/Adult/)
  expect(markdown).toMatch(/42/)
})

it('has the navigation above the first heading last, and a table of contents in its place', () => {
  const html = '<nav>Home</nav><h1>Fares</h1><nav>Contents</nav><p>Adult 42</p>'
  expect(markupToMarkdown(html)).toBe('# Fares\n\nContents\n\nAdult 42\n\nHome')
})

it('replaces character references that name no character', () => {
  const markdown = markupToMarkdown('<html><body><h1>A &#0; B &#xD83D; C</h1><p>zebra &#x1F600;</p></body></html>')
  expect(markdown).toBe('# A \uFFFD B \uFFFD C\n\nzebra 😀')
})

it('keeps right-to-left text in logical order', () => {
  const html =
    '<html><meta charset=utf-8><body><p dir=rtl>דוח רבעוני 2024</p><p dir=rtl>חשבונית Invoice 1234 מספר</p></body></html>'
  expect(markupToMarkdown(html)).toBe('דוח רבעוני 2024\n\nחשבונית Invoice 1234 מספר')
})

it('repeats the value of a merged cell in the rows that it spans, and of a header in its columns', () => {
  const html = `<table><tr><th rowspan=2>Region</th><th colspan=2>2024</th></tr><tr><th>Q1</th><th>Q2</th></tr>
    <tr><td rowspan=2>North</td><td>11</td><td>12</td></tr><tr><td>21</td><td>22</td></tr></table>`
  expect(rows(markupToMarkdown(html))).toEqual([
    ['Region', '2024', '2024'],
    ['Region', 'Q1', 'Q2'],
    ['North', '11', '12'],
    ['North', '21', '22'],
  ])
})

it('does not repeat long text, or what spans the whole table', () => {
  const long = 'word '.repeat(100).trim()
  const html = `<table><tr><th>A<th>B<th>C</tr><tr><td colspan=2>Sum<td>7</tr><tr><td colspan=3>North</tr><tr><td rowspan=0>${long}<td>1<td>2</tr><tr><td>3<td>4</tr></table>`
  expect(rows(markupToMarkdown(html))).toEqual([
    ['A', 'B', 'C'],
    ['Sum', 'Sum', '7'],
    ['North', '', ''],
    [long, '1', '2'],
    ['', '3', '4'],
  ])
})

it('writes a table within a cell as text, with its superscripts', () => {
  const inner = '<table><tr><td>10<sup>6</sup><td><p>one</p><p>two</p></tr><tr><td>A<td>B</tr></table>'
  const html = `<table><tr><th>Name<th>Parts</tr><tr><td>North<td>${inner}</tr></table>`
  expect(rows(markupToMarkdown(html))).toEqual([
    ['Name', 'Parts'],
    ['North', '10⁶, one two ; A, B'],
  ])
})

it.each([
  ['10<sup>6</sup> people', '10⁶ people'],
  ['10<sup>-3</sup>', '10⁻³'],
  ['x<sup>2n+1</sup>', 'x²ⁿ⁺¹'],
  ['e<sup>x</sup>', 'e^x'],
  ['2<sup>k+1</sup>', '2^(k+1)'],
  ['H<sub>2</sub>O', 'H₂O'],
  ['log<sub>8</sub>', 'log₈'],
  ['42<sup><a href="#f1">1</a></sup>', '42¹'],
  ['the 1<sup>st</sup> of May', 'the 1st of May'],
  ['Name<sup>®</sup>', 'Name®'],
])('writes %s as %s', (html, text) => {
  expect(markupToMarkdown(`<p>${html}</p>`)).toBe(text)
})

it('shows controls, ruby, formulas, drawings and numbers of lists as a browser does', () => {
  expect(markupToMarkdown('<input type=checkbox checked>Yes<br><input type=checkbox>No')).toMatch(/^☑ Yes\s+☐ No$/)
  expect(markupToMarkdown('<p>Zone <select><option>A<option selected>B</select></p>')).toBe('Zone B (of: A, B)')
  expect(markupToMarkdown('<p>Name: <input value="Okafor-77"></p>')).toBe('Name: Okafor-77')
  expect(markupToMarkdown('<p><ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby></p>')).toBe('漢字(かんじ)')
  expect(markupToMarkdown('<p><math><mfrac><mn>1</mn><mn>2</mn></mfrac></math></p>')).toBe(String.raw`$\frac{1}{2}$`)
  expect(markupToMarkdown('<svg><text>North</text><text>11</text></svg>')).toBe('North; 11')
  expect(markupToMarkdown('<ol type=a><li>one<li>two<li value=7>three</ol>')).toBe('a. one\nb. two\ng. three')
})

it('names what it leaves out', () => {
  const notices: Notice[] = []
  const picture = `<img src="data:image/png;base64,${'iVBORw0KGgo'.repeat(20)}" alt="pier">`
  const markdown = markupToMarkdown(`<p>Text ${picture}</p><p hidden>secret</p><iframe src="a.html"></iframe>`, notices)
  expect(markdown).toBe('Text ![pier]()')
  expect(notices).toEqual([
    { code: 'left_out', message: 'Hidden text is left out', count: 1, places: [] },
    { code: 'not_read', message: 'Text in pictures is not read', count: 1, places: [] },
    { code: 'not_read', message: 'Embedded pages and objects are not read', count: 1, places: [] },
  ])
})

it('takes pictures in base64 out of Markdown, in links, references and elements', () => {
  const data = `data:image/png;base64,${'iVBORw0KGgo+/'.repeat(50)}==`
  const text = `![pier](${data}) and <img src="${data}">\n\n![][one]\n\n[one]: <${data}>\n\nThe base64, of a word.`
  expect(withoutPictures(text)).toEqual({
    text: '![pier]() and <img src="">\n\n![][one]\n\n\n\nThe base64, of a word.',
    count: 3,
  })
})

it('keeps where links of a file lead, also relative to it or to its base', () => {
  const html =
    '<base href="https://example.com/docs/"><a href="../fares.html">Fares</a> <a href="#top">Top</a> <a href="javascript:x()">Run</a>'
  expect(markupToMarkdown(html, [], { keepsRelative: true })).toBe('[Fares](https://example.com/fares.html) Top Run')
  const relative = '<a href="ships/my list.html?a=1">Ships</a>'
  expect(markupToMarkdown(relative, [], { keepsRelative: true })).toBe('[Ships](ships/my%20list.html?a=1)')
  expect(markupToMarkdown(relative)).toBe('Ships')
  expect(markupToMarkdown('<p>A<a href="https://example.com/"><img src=x.png></a>B</p>')).toBe('AB')
})
