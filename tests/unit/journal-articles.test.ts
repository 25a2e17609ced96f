// Articles of journals in JATS: what their printed pages show, without the names of elements.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readXmlDocument } from '../../media/document/readers/xml-document.ts'
import { tempDir } from '../support/temp-dir.ts'

async function read(xml: string) {
  const path = join(tempDir(), 'article.nxml')
  writeFileSync(path, xml)
  const [page] = await readXmlDocument(path)
  return page!
}

const article = (meta: string, body = '', back = '') =>
  `<?xml version="1.0"?><!DOCTYPE article PUBLIC "-//NLM//DTD JATS v1.2//EN" "JATS.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML" xml:lang="en">
<front>${meta}</front><body>${body}</body><back>${back}</back></article>`

test('title, authors with their institutions, journal, abstract and keywords stand first', async () => {
  const { text, notices } = await read(
    article(`<journal-meta><journal-id>tides</journal-id><journal-title-group><journal-title>Tides</journal-title></journal-title-group>
<issn>1234-5678</issn><publisher><publisher-name>Harbour Press</publisher-name></publisher></journal-meta>
<article-meta><article-id pub-id-type="doi">10.1/t.7</article-id><article-id pub-id-type="publisher-id">T7</article-id>
<article-categories><subj-group><subject>Sea</subject><subj-group><subject>Salt</subject></subj-group></subj-group>
<subj-group><subject>Sea</subject></subj-group></article-categories>
<title-group><article-title>Salt of the <italic>North</italic> Sea</article-title></title-group>
<contrib-group><contrib contrib-type="author"><contrib-id>0000-1</contrib-id><name><surname>Lund</surname><given-names>Ada</given-names></name>
<xref ref-type="aff" rid="a1">1</xref></contrib>
<contrib><name><surname>Berg</surname><given-names>Jo</given-names></name><aff><institution>Coast College</institution><country>Norway</country></aff></contrib></contrib-group>
<aff id="a1"><label>1</label><institution>Sea Institute</institution><country>Denmark</country></aff>
<pub-date><year>2024</year></pub-date><volume>7</volume>
<abstract><p>CO<sub>2</sub> and salt.</p></abstract><kwd-group><kwd>salt</kwd><kwd>sea</kwd></kwd-group></article-meta>`),
  )
  expect(text).toBe(
    [
      '# Salt of the *North* Sea',
      'Ada Lund ¹, Jo Berg (Coast College, Norway)',
      '**1** Sea Institute, Denmark',
      'Tides, Harbour Press, 2024, 7, DOI: 10.1/t.7',
      '## Abstract',
      'CO₂ and salt.',
      'Keywords: salt, sea',
      'Subjects: Sea, Salt',
    ].join('\n\n'),
  )
  expect(notices).toMatchObject([{ code: 'left_out', count: 3 }])
})

test('sections, tables with merged cells, figures, lists and formulas', async () => {
  const { text } = await read(
    article(
      '<article-meta><title-group><article-title>Salt</article-title></title-group></article-meta>',
      `<sec id="s1"><label>1.</label><title>Methods</title><p>Measured <xref rid="r1">[1]</xref> by
<inline-formula><alternatives><tex-math>\\documentclass{a}\\begin{document}$a_1$\\end{document}</tex-math><mml:math><mml:mi>a</mml:mi></mml:math></alternatives></inline-formula>
and <inline-formula><mml:math><mml:msup><mml:mi>b</mml:mi><mml:mn>2</mml:mn></mml:msup></mml:math></inline-formula>.
<list list-type="order"><list-item><p>first</p></list-item><list-item><p>second</p></list-item></list></p>
<sec><title>Places</title><table-wrap id="t1"><object-id>t.001</object-id><label>Table 1</label><caption><title>Salt by place</title></caption>
<table frame="hsides"><colgroup><col align="left"/></colgroup><thead><tr><th align="left" colspan="2">Place</th><th>g/l</th></tr></thead>
<tbody><tr><td rowspan="2">North</td><td>a</td><td>35</td></tr><tr><td>b</td><td>34</td></tr></tbody></table></table-wrap>
<fig><label>Fig 1</label><caption><p>The coast.</p></caption><graphic xlink:href="g001"/></fig></sec></sec>`,
    ),
  )
  expect(text).toMatch(/^# Salt\n\n## 1\\?\. Methods\n\nMeasured \\?\[1\\?\] by \$a_1\$ and \$b\^\{?2\}?\$/)
  expect(text).toMatch(/1\.\s+first\n+2\.\s+second/)
  expect(text).toContain('### Places\n\n**Table 1** **Salt by place**')
  expect(text).toContain('| North | a | 35 |\n| North | b | 34 |')
  expect(text).toContain('**Fig 1**\n\nThe coast.')
  expect(text).not.toMatch(/colspan|align|t\.001|g001|hsides/)
})

test('references with their numbers, and acknowledgments', async () => {
  const { text } = await read(
    article(
      '<article-meta><title-group><article-title>Salt</article-title></title-group></article-meta>',
      '<p>Text</p>',
      `<ack><p>We thank the crew.</p></ack><ref-list><title>Sources</title>
<ref id="r1"><label>1</label><element-citation><person-group><name><surname>Ek</surname><given-names>B</given-names></name><name><surname>Ho</surname><given-names>C</given-names></name></person-group><year>2009</year><source>Seas</source><fpage>12</fpage><lpage>18</lpage><pub-id pub-id-type="doi">10.2/x</pub-id></element-citation></ref>
<ref id="r2"><label>2</label><mixed-citation><name><surname>Om</surname><given-names>D</given-names></name>. <article-title>Salt</article-title>. <year>2011</year>.</mixed-citation></ref></ref-list>`,
    ),
  )
  expect(text).toContain('## Acknowledgments\n\nWe thank the crew.')
  expect(text).toContain('## Sources\n\n')
  expect(text).toContain('1 Ek B, Ho C, 2009, Seas, 12–18, DOI: 10.2/x')
  expect(text).toContain('2 Om D. Salt. 2011.')
})

test('other XML with a root of this name stays as it is', async () => {
  const { text } = await read('<article id="7"><name>Bolt</name><price>12</price></article>')
  expect(text).toBe('# Bolt\n\n- id: 7\n\n- price: 12')
})

test('formulas and tables of other XML are no lists of elements', async () => {
  const { text } = await read(`<doc><note>x</note>
<math xmlns="http://www.w3.org/1998/Math/MathML"><mrow><mi>a</mi><mo>=</mo><mn>2</mn></mrow></math>
<table frame="all"><tr><th align="left">Place</th><th>g/l</th></tr><tr><td>North</td><td>35</td></tr></table></doc>`)
  expect(text).toBe('# doc\n\n- note: x\n\n$a = 2$\n\n| Place | g/l |\n| --- | --- |\n| North | 35 |')
})
