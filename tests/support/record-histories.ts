// Records the histories that tests/integration/replay.test.ts replays: `node tests/support/record-histories.ts <release>`.
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EVERYTHING, FAULTY, NODE } from './mcp-servers.ts'
import { photograph, sound, spoken } from './media.ts'
import { openStage } from './stage.ts'
import { temporalBinary } from './temporal-binary.ts'
import { WhisperDouble } from './whisper-double.ts'
import { manyWords } from './words.ts'

const release = process.argv[2]
if (!release) throw new Error('Cannot record: name the release, such as 0.2.0')
const root = fileURLToPath(new URL('../../', import.meta.url))
const folder = `${root}tests/histories/${release}/`
mkdirSync(folder, { recursive: true })

const run = promisify(execFile)
const whisper = await WhisperDouble.start()
const remembering = {
  description: 'Remembers.',
  system_message: 'Remember.',
  model: { provider: 'offline', model: 'offline' },
  memory: { long_term: true },
}
const leading = {
  description: 'Leads.',
  system_message: 'Lead.',
  model: { provider: 'openai', model: 'gpt-4.1-mini' },
  agent_tools: ['scripted'],
  handoffs: ['scripted'],
}
const stage = await openStage({ env: { MUXI_TRANSCRIPTION: whisper.url }, agents: { remembering, leading } })
const temporal = async (...args: string[]) =>
  (await run(await temporalBinary(), [...args, '--address', stage.temporal!.address], { maxBuffer: 2 ** 26 })).stdout

try {
  const { url } = await stage.start('all', { env: { MUXI_MCP_COMMANDS: NODE } })
  const asked = await stage.call(url, '/api/v1/agents/offline/chat', { body: { content: 'What time is it?' } })
  const cue = stage.model.script({ say: manyWords('record', 200), pieces_per_second: 50 })
  const stopped = await stage.chat(url, cue)
  const { turn_id } = (await stopped.waitFor('accepted')).data as { turn_id: string }
  await stopped.waitFor('content')
  await stage.call(url, `/api/v1/turns/${turn_id}/cancel`, { method: 'POST' })
  const failing = await stage.chat(url, stage.model.script({ fail: 401 }))
  await failing.untilFinal()
  const failed = failing.events[0]!.data as { turn_id: string }
  const plain = await stage.call(url, '/api/v1/agents/offline/chat', { body: { content: 'Good morning.' } })

  const data = Buffer.from('The ferry leaves at nine.').toString('base64')
  const attachments = [{ type: 'text/plain', name: 'ferry.txt', data }]
  const conversation_id = await stage.conversation(url, { agent_id: 'offline' })
  const reading = await stage.call(url, '/api/v1/agents/offline/chat', {
    body: { content: 'When does the ferry leave?', conversation_id, attachments },
  })
  const jobs = (await stage.call(url, '/api/v1/jobs')).body.jobs as { id: string }[]

  const media = { image: await photograph('Ferry'), audio: await sound(stage.folder, 'ferry.mp3', spoken(130)) }
  const ingested: Record<string, string> = {}
  for (const [kind, bytes] of Object.entries(media)) {
    const file_id = await stage.upload(url, `ferry.${kind}`, bytes)
    const { body } = await stage.call(url, '/api/v1/jobs', { body: { kind, file_id, agent_id: 'offline' } })
    await (await stage.followJob(url, body.id)).untilFinal()
    ingested[`job/${body.id}`] = `ingestion-of-${kind}`
  }

  const summarized = await stage.upload(url, 'log.txt', manyWords('log', 3_000))
  const options = { summarize: true }
  const summary = await stage.call(url, '/api/v1/jobs', {
    body: { kind: 'document', file_id: summarized, agent_id: 'offline', options },
  })
  await (await stage.followJob(url, summary.body.id)).untilFinal()
  ingested[`job/${summary.body.id}`] = 'ingestion-with-summary'

  const { body: again } = await stage.call(url, '/api/v1/jobs', { body: { kind: 'reembed' } })
  await (await stage.followJob(url, again.id)).untilFinal()
  ingested[`job/${again.id}`] = 'reembed'

  const faulty = {
    name: 'faulty',
    command: NODE,
    args: [FAULTY, 'none', stage.countFile],
    approval: { tools: { count: 'never', 'count_*': 'always' } },
  }
  await stage.call(url, '/api/v1/agents/scripted/mcp_servers', { body: faulty })
  const calling = stage.model.script(
    { call: [{ name: 'faulty__count', arguments: { label: 'recorded' } }] },
    { say: 'Counted.' },
  )
  const called = await stage.call(url, '/api/v1/agents/scripted/chat', { body: { content: calling } })
  const everything = { name: 'everything', command: NODE, args: [EVERYTHING], approval: 'never' }
  await stage.call(url, '/api/v1/agents/scripted/mcp_servers', { body: everything })
  const parked = stage.model.script(
    {
      call: [
        { name: 'faulty__count_again', arguments: { label: 'approved' } },
        { name: 'everything__trigger-elicitation-request', arguments: {} },
      ],
    },
    { say: 'Approved and answered.' },
  )
  const waiting = await stage.chat(url, parked)
  const parkedId = (await waiting.waitFor('accepted')).data.turn_id as string
  for (const kind of ['tool', 'question']) {
    const asked = (await waiting.waitFor(({ type, data }) => type === 'approval_required' && data.kind === kind)).data
    const decision = kind === 'tool' ? { decision: 'approve' } : { decision: 'answer', answer: { name: 'Ada' } }
    await stage.call(url, `/api/v1/turns/${parkedId}/approvals/${asked.id}`, { body: decision })
  }
  await waiting.untilFinal()
  await stage.call(url, '/api/v1/agents/scripted/mcp_servers/faulty', { method: 'DELETE' })
  await temporal('workflow', 'result', '-w', 'mcp/scripted/faulty')

  const remembered = await stage.call(url, '/api/v1/agents/remembering/chat', { body: { content: 'I live in Bern.' } })

  const answering = stage.model.script({ say: 'An answer.' })
  const leadingCue = stage.model.script(
    { call: [{ name: 'ask_scripted', arguments: { message: answering } }] },
    { call: [{ name: 'transfer_to_scripted', arguments: {} }] },
    { say: 'Handed over.' },
  )
  const led = await stage.call(url, '/api/v1/agents/leading/chat', { body: { content: leadingCue } })

  const names = {
    [`turn/${led.body.turn_id}`]: 'turn-that-asked-and-handed-over',
    [`turn/${led.body.agent_response.tool_calls[0].turn_id}`]: 'turn-that-was-asked-for',
    [`memory/${remembered.body.conversation_id}`]: 'memory-write',
    ...ingested,
    [`turn/${parkedId}`]: 'turn-that-waited',
    [`tool/${parkedId}/call_1_1`]: 'tool-call-approved',
    [`tool/${parkedId}/call_1_2`]: 'tool-call-question',
    'mcp/scripted/faulty': 'mcp-server',
    [`tool/${called.body.turn_id}/call_1_1`]: 'tool-call-mcp',
    [`turn/${reading.body.turn_id}`]: 'turn-with-document',
    [`job/${jobs[0]!.id}`]: 'ingestion',
    [`turn/${asked.body.turn_id}`]: 'turn-with-tool',
    [`tool/${asked.body.turn_id}/call_1_1`]: 'tool-call',
    [`turn/${plain.body.turn_id}`]: 'turn',
    [`turn/${failed.turn_id}`]: 'turn-failed',
    [`turn/${turn_id}`]: 'turn-cancelled',
  }
  for (const [id, name] of Object.entries(names)) {
    // Recorded whole: the reply comes a moment before the workflow closes. Some of them failed.
    await temporal('workflow', 'result', '-w', id).catch(() => undefined)
    // Stack traces name the files of this machine.
    const shown = (await temporal('workflow', 'show', '-w', id, '--output', 'json')).replaceAll(root, '')
    const history = JSON.parse(shown) as unknown
    writeFileSync(`${folder}${name}.json`, `${JSON.stringify({ workflowId: id, history })}\n`)
    console.log(`recorded ${name}`)
  }
} finally {
  await stage.close()
}
process.exit(0)
