// docs/client.md: its examples are run as they are written.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { ROOT } from '../support/children.ts'
import { clientExamples, linkPackages, programOf, runProgram } from '../support/client-doc.ts'
import { HeldReply } from '../support/held-reply.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { tempDir } from '../support/temp-dir.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  const model = { provider: 'openai', model: 'gpt-4.1-mini' }
  const words = { system_message: 'You are a helpful assistant.', memory: { buffer: 20, long_term: true } }
  stage = await openStage({
    env: { MUXI_DEFAULT_AGENT: 'assistant' },
    agents: {
      assistant: { ...words, description: 'Answers questions about tea, and tells stories.', model },
      careful: {
        ...words,
        description: 'Calculates.',
        model: { provider: 'offline', model: 'offline' },
        mcp_servers: [{ name: 'calculator', builtin: 'calculator', approval: 'always' }],
      },
    },
  })
  muxi = await stage.start('all')
  return () => stage.close()
})

it(keeps('docs.client', 'with a server'), async () => {
  // Also when the orchestrator asks which agent a message is for.
  const tea = { say: 'A strong black one.' }
  const story = { say: 'Once there was a kettle.' }
  stage.model.scriptFor('Which tea grows in Assam?', ...Array.from({ length: 12 }, () => tea))
  stage.model.scriptFor('Tell me a story', ...Array.from({ length: 12 }, () => story))
  stage.model.scriptFor('Tell me a long story', { say: manyWords('word', 60), held: new HeldReply() })
  stage.model.scriptFor('Process this image', { say: 'A boat in a harbour.' })
  linkPackages(stage.folder)
  writeFileSync(join(stage.folder, 'tea.txt'), 'Assam is a strong black tea. It is brewed for four minutes.\n')
  copyFileSync(join(ROOT, 'examples/remote/images/harbour.jpg'), join(stage.folder, 'harbour.jpg'))
  const examples = clientExamples('remote')
  const printed = await runProgram(stage.folder, programOf(examples, { url: muxi.url, key: stage.key }))
  expect(printed).toHaveLength(examples.length)
  const expected = examples.map(({ prints }, index) => prints ?? printed[index])
  expect(printed).toEqual(expected)
})

it(keeps('docs.client', 'without a server'), async () => {
  const folder = tempDir()
  linkPackages(folder)
  mkdirSync(join(folder, 'configs'))
  copyFileSync(join(ROOT, 'examples/agent-from-config/configs/my_agent.yaml'), join(folder, 'configs/my_agent.yaml'))
  const [printed] = await runProgram(folder, programOf(clientExamples('embedded'), { url: '', key: '' }))
  expect(printed).toMatch(/^Response: .+\n(.*\n)*true\n$/)
})
