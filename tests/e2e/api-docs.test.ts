// docs/api.md: its examples are run as they are written, and it has one for each operation.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ExampleRun, operationsOf, readExamples, writeAnswers } from '../support/api-doc.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { WhisperDouble } from '../support/whisper-double.ts'
import { keeps } from './requirements.ts'

const DOCUMENT = join(import.meta.dirname, '../../docs/api.md')
/** `MUXI_RECORD_DOCS=yes` writes the answers of this run into the document. */
const RECORD = process.env['MUXI_RECORD_DOCS'] === 'yes'

const examples = readExamples(DOCUMENT)
const hasCurl = spawnSync('curl', ['--version']).status === 0
if (!hasCurl) console.log('api-docs.test.ts is skipped: there is no curl on this machine')

let stage: Stage
let muxi: Muxi
let run: ExampleRun
const answers: { example: (typeof examples)[number]; actual: string }[] = []

beforeAll(async () => {
  const offline = { model: { provider: 'offline', model: 'offline' } }
  const whisper = await WhisperDouble.start()
  stage = await openStage({
    env: { MUXI_TRANSCRIPTION: whisper.url, MUXI_SPEECH: 'espeak-ng' },
    agents: {
      assistant: {
        ...offline,
        description: 'Answers everyday questions.',
        system_message: 'You are a helpful assistant.',
        memory: { buffer: 20, long_term: true },
        mcp_servers: [{ name: 'calculator', builtin: 'calculator' }],
      },
    },
  })
  muxi = await stage.start('all')
  // The first message of the document is answered with a tool of this server.
  const calculator = async () => (await stage.call(muxi.url, '/api/v1/agents/assistant/mcp_servers/calculator')).body
  await vi.waitUntil(async () => (await calculator()).connected === true, { timeout: 20_000 })
  writeFileSync(join(stage.folder, 'tea.txt'), 'Assam is a strong black tea. It is brewed for four minutes.\n')
  run = new ExampleRun(stage.folder, { MUXI: muxi.url, AUTH: `Authorization: Bearer ${stage.key}` })
  return async () => {
    await stage.close()
    await whisper.stop()
  }
})

afterAll(() => {
  if (RECORD) writeAnswers(DOCUMENT, answers, run.ids)
})

describe.skipIf(!hasCurl)('the examples of docs/api.md', () => {
  it.for(examples.map((example) => [example.command.split('\n')[0] ?? '', example] as const))(
    keeps('docs.api', '%s'),
    async ([, example]) => {
      let actual = await run.run(example)
      const faultsNow = () => (example.at && !RECORD ? run.compare(example, actual) : [])
      let faults = faultsNow()
      // What an earlier example has begun may not have ended: what only reads is asked again.
      const onlyReads = operationsOf(example.command).every(({ method }) => method === 'GET')
      for (let left = 20; onlyReads && faults.length > 0 && left > 0; left--) {
        await sleep(250)
        actual = await run.run(example)
        faults = faultsNow()
      }
      answers.push({ example, actual })
      expect(faults, actual).toEqual([])
    },
  )
})

it(keeps('docs.api', 'every operation has an example'), async () => {
  const { body } = await stage.call(muxi.url, '/openapi.json')
  const called = examples.flatMap(({ command }) => operationsOf(command))
  // Those of /v1 are in docs/openai.md.
  const paths = Object.entries(body.paths as Record<string, object>).filter(([path]) => !path.startsWith('/v1/'))
  const missing = paths.flatMap(([path, methods]) => {
    const pattern = new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}/?$`)
    return Object.keys(methods)
      .map((method) => method.toUpperCase())
      .filter((method) => !called.some((call) => call.method === method && pattern.test(call.path)))
      .map((method) => `${method} ${path}`)
  })
  expect(missing).toEqual([])
})
