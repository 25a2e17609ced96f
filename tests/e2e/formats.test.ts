// Documents of every format, the way people bring them: uploaded, in the folder of an agent, and attached to a message.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import * as documents from '../support/documents.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

/** What tells each apart, the media type that it is known by, and where the fare of a child stands in it. */
const FORMATS = [
  { name: 'handbook.docx', write: documents.docx, type: /wordprocessingml/, page: 2, heading: /Fares/ },
  { name: 'handbook.html', write: documents.html, type: /^text\/html$/, page: 1, heading: /Ferry Handbook/ },
  { name: 'fares.csv', write: () => documents.csv(), type: /^text\/csv$/, page: 1 },
  { name: 'fares.tsv', write: () => documents.csv('\t'), type: /^text\/tab-separated-values$/, page: 1 },
  { name: 'fares.xlsx', write: documents.xlsx, type: /spreadsheetml/, page: 1, heading: /^Sheet Fares$/ },
  { name: 'fares.ods', write: documents.ods, type: /opendocument.spreadsheet$/, page: 1, heading: /^Sheet Fares$/ },
  { name: 'deck.pptx', write: documents.pptx, type: /presentationml/, page: 2, heading: /^Slide 2 > Fares$/ },
  { name: 'deck.odp', write: documents.odp, type: /opendocument.presentation$/, page: 2, heading: /^Slide 2 > Fares$/ },
  { name: 'handbook.odt', write: documents.odt, type: /opendocument.text$/, page: 2, heading: /Fares/ },
  { name: 'handbook.rtf', write: documents.rtf, type: /^application\/rtf$/, page: 2, heading: /Fares/ },
  { name: 'book.epub', write: documents.epub, type: /^application\/epub/, page: 3, heading: /^What it costs > Fares$/ },
  { name: 'handbook.json', write: documents.json, type: /^application\/json$/, page: 1 },
  { name: 'letter.eml', write: documents.eml, type: /^message\/rfc822$/, page: 1, heading: /Ferry Handbook/ },
]

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  const knowing = {
    description: 'Knows.',
    system_message: 'You know.',
    model: { provider: 'offline', model: 'offline' },
  }
  const agents: Record<string, object> = {
    folder: { ...knowing, knowledge: [{ id: 'folder', description: 'All of them', path: 'formats' }] },
  }
  for (const { name } of FORMATS) agents[name.replace('.', '-')] = knowing
  stage = await openStage({ agents })
  mkdirSync(join(stage.agentsDir, 'formats'))
  for (const { name, write } of FORMATS) writeFileSync(join(stage.agentsDir, 'formats', name), await write())
  muxi = await stage.start('all')
})
afterAll(async () => {
  await stage.check()
  await stage.close()
})

const ask = async (agent: string, content: string, attachments: object[] = []) => {
  const conversation_id = await stage.conversation(muxi.url, { agent_id: agent })
  const body = { content, conversation_id, attachments }
  return (await stage.call(muxi.url, `/api/v1/agents/${agent}/chat`, { body })).body
}

it.each(FORMATS)(
  keeps('documents.formats', '$name is read into pages, which are found, shown and cited'),
  async ({ name, write, type, page, heading }) => {
    const agent = name.replace('.', '-')
    const file_id = await stage.upload(muxi.url, name, new Uint8Array(await write()))
    expect((await stage.call(muxi.url, `/api/v1/files/${file_id}`)).body.type).toMatch(type)
    const begun = await stage.call(muxi.url, '/api/v1/jobs', { body: { kind: 'document', file_id, agent_id: agent } })
    const stream = await stage.followJob(muxi.url, begun.body.id)
    const end = await stream.untilFinal()
    expect(end.type, JSON.stringify(end.data)).toBe('completed')
    const { progress, result } = (await stage.call(muxi.url, `/api/v1/jobs/${begun.body.id}`)).body
    expect(progress).toMatchObject({ done: result.pages, total: result.pages })

    const text = await stage.call(muxi.url, `/api/v1/jobs/${begun.body.id}/text?format=json`)
    expect(text.body.pages).toHaveLength(result.pages)
    expect(text.body.pages[page - 1].text).toMatch(/Child[^\n]*17/)
    const query = encodeURIComponent('What is the fare of a child?')
    const found = await stage.call(muxi.url, `/api/v1/agents/${agent}/knowledge/search?query=${query}`)
    expect(found.body.results[0]).toMatchObject({ page, ...(heading && { heading: expect.stringMatching(heading) }) })
    const reply = await ask(agent, 'What is the fare of a child?')
    expect(reply.agent_response.content).toContain('17')
    expect(reply.agent_response.content).toContain(`(${name}, page ${page})`)
  },
)

it(keeps('documents.formats', 'a folder that an agent file names is known with all of them'), async () => {
  const ended = () => stage.rows(`select name, status from jobs where agent_id = 'folder' and finished_at is not null`)
  await expect.poll(async () => (await ended()).length, { timeout: 60_000 }).toBe(FORMATS.length)
  expect((await ended()).filter(({ status }) => status !== 'completed')).toEqual([])
  const { body } = await stage.call(muxi.url, '/api/v1/agents/folder/knowledge')
  expect(body.knowledge_sources[0].document_count).toBe(FORMATS.length)
})

it(keeps('documents.formats', 'each is read inside the turn that it is attached to'), async () => {
  for (const { name, write } of FORMATS) {
    const data = (await write()).toString('base64')
    const reply = await ask('offline', 'What is the fare of a child?', [{ type: 'document', name, data }])
    expect(reply.agent_response?.content, `${name}: ${JSON.stringify(reply)}`).toContain('17')
  }
})
