// Summaries of documents and recordings: by a model in parts, each paid for once; by rule without one. And what is free the second time.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { sound, spoken } from '../support/media.ts'
import { HANG } from '../support/scripted-model.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { WhisperDouble } from '../support/whisper-double.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let whisper: WhisperDouble
let api: Muxi
let worker: Muxi
beforeAll(async () => {
  whisper = await WhisperDouble.start()
  stage = await openStage({ env: { MUXI_TRANSCRIPTION: whisper.url } })
  api = await stage.start('api')
  worker = await stage.start('worker')
})
afterAll(async () => {
  stage.model.assertUsed()
  await stage.check()
  await stage.close()
  await whisper.stop()
})

async function begin(kind: string, name: string, bytes: Uint8Array | string, fields: object) {
  const file_id = await stage.upload(api.url, name, bytes)
  const { status, body, text } = await stage.call(api.url, '/api/v1/jobs', { body: { kind, file_id, ...fields } })
  expect(status, text).toBe(202)
  return body
}

async function finished(id: string) {
  await (await stage.followJob(api.url, id)).untilFinal(100_000)
  const job = (await stage.call(api.url, `/api/v1/jobs/${id}`)).body
  expect(job.status, JSON.stringify(job.error)).toBe('completed')
  return job
}

/** About 40,000 characters: four parts. */
const LONG = Array.from(
  { length: 400 },
  (_, n) => `Paragraph ${n} of the log of the lighthouse: the keeper counted ${n * 7} ships and wrote down the wind.`,
).join('\n\n')

it(keeps('summaries.parts', 'a worker is killed between them: only what was not finished is asked again'), async () => {
  const say = (words: string) => ({ say: words })
  const cue = stage.model.script(
    say('Part one.'),
    say('Part two.'),
    HANG,
    HANG,
    say('Part three.'),
    say('Part four.'),
    say('The keeper counted ships, and a heron stood by.'),
  )
  const options = { summarize: true }
  const { id } = await begin('document', `log ${cue}.txt`, LONG, { agent_id: 'scripted', options })
  const stream = await stage.followJob(api.url, id)
  await stream.waitFor(({ data }) => data.stage === 'summarizing' && data.done === 2)
  await expect.poll(() => stage.model.calls(cue)).toBe(4)
  await worker.kill()
  worker = await stage.start('worker')
  const { result } = await finished(id)
  expect(stage.model.calls(cue)).toBe(7)
  expect(result.summary).toBe('The keeper counted ships, and a heron stood by.')
  const used = await stage.rows('select status from model_usage where stream_id = ?', id)
  expect(used.map(({ status }) => status).toSorted()).toEqual([...Array(5).fill('completed'), 'estimated', 'estimated'])
  expect(result.usage.input_tokens).toBeGreaterThan(0)
  const asked = stage.model.requests(cue).map(({ messages }) => messages.at(-1)!.content as string)
  for (const n of [0, 133, 266, 399])
    expect(
      asked.some((text) => text.includes(`Paragraph ${n} of`)),
      `${n}`,
    ).toBe(true)
  expect(asked.at(-1)).toMatch(/Part (one|two|three|four)\.\n\nPart/)
  const found = await stage.call(api.url, '/api/v1/agents/scripted/knowledge/search?query=heron%20stood')
  expect(found.body.results[0]).toMatchObject({ heading: 'Summary', content: expect.stringContaining('heron') })
})

it(keeps('summaries.parts', 'the next model of the chain is asked after the last attempt at the first'), async () => {
  const fails = Array.from({ length: 5 }, () => ({ fail: 500 }))
  const cue = stage.model.script(...fails, { say: 'Short.' })
  const model = { provider: 'openai', model: 'first', fallbacks: [{ provider: 'openai', model: 'second' }] }
  const agent = { id: 'chained', description: 'Has two.', model, system_message: 'Two.', memory: { buffer: 1 } }
  expect((await stage.call(api.url, '/api/v1/agents', { body: agent })).status).toBe(201)
  const fields = { agent_id: 'chained', options: { summarize: true } }
  const { id } = await begin('document', `short ${cue}.txt`, 'A short text about a ferry.', fields)
  expect((await finished(id)).result.summary).toBe('Short.')
  expect(stage.model.requests(cue).map((request) => request.model)).toEqual([...fails.map(() => 'first'), 'second'])
})

it(keeps('summaries.offline', 'of documents and recordings, and says that it is by rule'), async () => {
  const options = { summarize: true }
  const recording = await sound(stage.folder, 'talk.mp3', spoken(150))
  for (const [kind, name, bytes] of [
    ['document', 'log.txt', LONG],
    ['audio', 'talk.mp3', recording],
  ] as const) {
    const { id } = await begin(kind, name, bytes, { agent_id: 'offline', options })
    const { result } = await finished(id)
    expect(result.summary, name).toMatch(/^Sentences chosen by rule \(the offline model/)
    expect(result.summary, name).toMatch(kind === 'audio' ? /A gull cried for/ : /the keeper counted \d+ ships/)
    expect(result.summary.length).toBeLessThan(8_000)
    expect(result.usage).toBeUndefined()
  }
})

it(keeps('documents.again', 'the same bytes are not read again, changed ones replace what they were'), async () => {
  const into = (knowledge_id: string) => ({ agent_id: 'offline', knowledge_id })
  const first = await begin('document', 'rules.md', '# Rules\n\nNobody swims in the harbour.', into('rules'))
  const { result } = await finished(first.id)
  const again = await begin('document', 'rules.md', '# Rules\n\nNobody swims in the harbour.', into('rules'))
  expect(again).toMatchObject({ status: 'completed', result: { ...result, reused_job_id: first.id } })
  const text = await stage.call(api.url, `/api/v1/jobs/${again.id}/text`)
  expect(text.text).toContain('Nobody swims')
  const stream = await stage.followJob(api.url, again.id)
  expect((await stream.untilFinal()).type).toBe('completed')
  const otherwise = { ...into('rules'), options: { ocr: 'always' } }
  const other = await begin('document', 'rules.md', '# Rules\n\nNobody swims in the harbour.', otherwise)
  expect(other.status).toBe('queued')
  await finished(other.id)

  const changed = await begin('document', 'rules.md', '# Rules\n\nEverybody swims in the harbour.', into('rules'))
  await finished(changed.id)
  const found = await stage.call(api.url, '/api/v1/agents/offline/knowledge/search?query=swims%20in%20the%20harbour')
  const told = found.body.results.map(({ content }: { content: string }) => content)
  expect(told.filter((content: string) => content.includes('Everybody swims'))).toHaveLength(1)
  const back = await begin('document', 'rules.md', '# Rules\n\nNobody swims in the harbour.', into('rules'))
  expect(back.status).toBe('queued')
  await finished(back.id)
})
