// docs/openai.md: its examples are run as they are written, with curl and with the official package for Python, unpatched.
import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, expect, it } from 'vitest'
import { ExampleRun, operationsOf, readExamples } from '../support/api-doc.ts'
import { sound, spoken } from '../support/media.ts'
import { pythonWith } from '../support/python.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { WhisperDouble } from '../support/whisper-double.ts'
import { keeps } from './requirements.ts'

const DOCUMENT = join(import.meta.dirname, '../../docs/openai.md')
const examples = readExamples(DOCUMENT)
const canSpeak = spawnSync('espeak-ng', ['--version']).status === 0
if (!canSpeak) console.log('openai-docs.test.ts: speech is skipped, espeak-ng is not installed')

let stage: Stage
let muxi: Muxi
let python: string
beforeAll(async () => {
  const whisper = await WhisperDouble.start()
  stage = await openStage({
    env: { MUXI_TRANSCRIPTION: whisper.url, MUXI_SPEECH: 'espeak-ng' },
    agents: {
      assistant: {
        description: 'Answers everyday questions.',
        system_message: 'You are a helpful assistant.',
        model: { provider: 'openai', model: 'gpt-4.1-mini' },
      },
    },
  })
  muxi = await stage.start('all')
  python = await pythonWith('openai', fileURLToPath(new URL('../support/openai-python.txt', import.meta.url)))
  return async () => {
    await stage.close()
    await whisper.stop()
  }
})

/** Runs a program with the client's settings. @returns what it printed */
async function runPython(...args: string[]): Promise<string> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    OPENAI_BASE_URL: `${muxi.url}/v1`,
    OPENAI_API_KEY: stage.key,
    ...(canSpeak && { CAN_SPEAK: 'yes' }),
  }
  const { stdout } = await promisify(execFile)(python, args, { cwd: stage.folder, env, timeout: 60_000 })
  return stdout
}

const ANSWER = { say: 'At nine.' }

it(keeps('openai.docs', 'with curl'), async () => {
  stage.model.scriptFor('When does the ferry leave?', ANSWER, ANSWER)
  const run = new ExampleRun(stage.folder, { MUXI: muxi.url, AUTH: `Authorization: Bearer ${stage.key}` })
  for (const example of examples.filter(({ command }) => canSpeak || !command.includes('/audio/'))) {
    const actual = await run.run(example)
    expect(run.compare(example, actual), actual).toEqual([])
  }
  stage.model.assertUsed()
})

it(keeps('openai.docs', 'with Python'), async () => {
  stage.model.scriptFor('When does the ferry leave?', ANSWER, ANSWER)
  const call = { name: 'weather', arguments: { place: 'Horta' } }
  stage.model.scriptFor('Is it raining in Horta?', { call: [call] }, { say: 'Yes, a little.' })
  const text = readFileSync(DOCUMENT, 'utf8')
  const blocks = [...text.matchAll(/```python\n([\s\S]*?)```\n```text\n([\s\S]*?)```/g)]
  expect(blocks).toHaveLength(4)
  const program = blocks.map(([, code]) => code).join('\n')
  expect(await runPython('-c', program)).toBe(blocks.map(([, , printed]) => printed).join(''))
  stage.model.assertUsed()
})

it(keeps('openai.docs', 'and everything else that the client for Python is relied on for'), async () => {
  await sound(stage.folder, 'talk.wav', spoken(2))
  stage.model.scriptFor('Where does the ferry go?', { say: '{"harbour":"Horta"}' })
  stage.model.scriptFor('Say hello.', { say: 'Hello.' })
  stage.model.scriptFor('Fail.', { fail: 401, words: 'no such key' })
  const program = fileURLToPath(new URL('../support/openai_client.py', import.meta.url))
  expect(await runPython(program)).toBe('all held\n')
  stage.model.assertUsed()
})

it(keeps('openai.docs', 'every operation has an example'), async () => {
  const { body } = await stage.call(muxi.url, '/openapi.json')
  const called = examples.flatMap(({ command }) => operationsOf(command))
  const missing = Object.entries(body.paths as Record<string, object>)
    .filter(([path]) => path.startsWith('/v1/'))
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => [method.toUpperCase(), path] as const))
    .filter(([method, path]) => {
      const pattern = new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`)
      return !called.some((call) => call.method === method && pattern.test(call.path))
    })
  expect(missing).toEqual([])
})
