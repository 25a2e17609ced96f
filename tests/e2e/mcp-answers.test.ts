// What MCP servers answer, on its way to the model and to the API: warnings, refused tools, tall pictures.
import sharp from 'sharp'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { json, RawMcpServer, result } from '../support/raw-mcp-server.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

const SERVERS = '/api/v1/agents/scripted/mcp_servers'
const schema = { type: 'object', properties: { q: { type: 'string' } } }

let stage: Stage
let muxi: Muxi
beforeAll(async () => {
  stage = await openStage({ env: { MUXI_ALLOW_PRIVATE_URLS: 'true' } })
  muxi = await stage.start('all')
  return () => stage.close()
})

async function serve(name: string, tools: unknown[]): Promise<RawMcpServer> {
  const server = await RawMcpServer.start()
  onTestFinished(async () => {
    await stage.call(muxi.url, `${SERVERS}/${name}`, { method: 'DELETE' })
    await server.close()
  })
  server.answers['tools/list'] = result({ tools })
  const added = await stage.call(muxi.url, SERVERS, { body: { name, url: server.url, approval: 'never' } })
  expect(added.status).toBe(201)
  return server
}

const warningsOf = async (name: string) => (await stage.call(muxi.url, `${SERVERS}/${name}`)).body.warnings as string[]
const offeredIn = (request: { tools?: unknown }) =>
  ((request.tools ?? []) as { function: { name: string } }[]).map((tool) => tool.function.name)

it(keeps('mcp.refused-tool', 'a refused tool is left out, warned about, and not offered again'), async () => {
  await serve('odd', [
    { name: 'good', inputSchema: schema },
    { name: 'bad', inputSchema: schema },
  ])
  const words = "Invalid schema for function 'odd__bad': unsupported keyword."
  const cue = stage.model.script({ fail: 400, words }, { say: 'Answered all the same.' })
  const stream = await stage.chat(muxi.url, cue)
  await stream.untilFinal()
  expect(stream.events.at(-1)).toMatchObject({ type: 'message_end' })
  const [first, second] = stage.model.requests(cue).map(offeredIn)
  expect(first).toEqual(expect.arrayContaining(['odd__good', 'odd__bad']))
  expect(second).toContain('odd__good')
  expect(second).not.toContain('odd__bad')
  expect(await warningsOf('odd')).toEqual([expect.stringMatching(/does not take the tool 'bad'.*unsupported keyword/)])
  expect(muxi.logs()).toContainEqual(expect.objectContaining({ tools: ['odd__bad'] }))
  // The next message does not offer it again.
  const next = stage.model.script({ say: 'At once.' })
  await (await stage.chat(muxi.url, next)).untilFinal()
  expect(offeredIn(stage.model.requests(next)[0]!)).not.toContain('odd__bad')
})

it(keeps('mcp.warnings', 'warnings in the API, before and after list_changed'), async () => {
  const server = await serve('list', [{ name: 'ask', inputSchema: schema }, { name: 7 }])
  expect(await warningsOf('list')).toEqual([expect.stringMatching(/tool 2: its 'name' must be a string/)])
  server.answers['tools/list'] = result({
    tools: [
      { name: 'ask', inputSchema: schema },
      { name: 'ask', inputSchema: {} },
      { name: 'long', inputSchema: { ...schema, title: 'x'.repeat(70_000) } },
    ],
  })
  server.answers['tools/call'] = ({ id }) => ({
    type: 'text/event-stream',
    body:
      `data: ${json({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }).body}\n\n` +
      `data: ${json({ jsonrpc: '2.0', id, result: { content: 'changed' } }).body}\n\n`,
  })
  const cue = stage.model.script({ call: [{ name: 'list__ask', arguments: {} }] }, { say: 'Done.' })
  const stream = await stage.chat(muxi.url, cue)
  await stream.untilFinal()
  expect(stream.events.find(({ type }) => type === 'tool_call_end')?.data).toMatchObject({ output: 'changed' })
  await expect
    .poll(() => warningsOf('list'))
    .toEqual([
      expect.stringMatching(/the tool 'ask': its 'name' must be unique/),
      expect.stringMatching(/the tool 'long': its 'inputSchema' must have at most 64000 characters/),
    ])
})

it(keeps('mcp.tall-picture', 'a screenshot of a whole page in a data URI is shown in six parts'), async () => {
  const server = await serve('page', [{ name: 'shot', inputSchema: schema }])
  const tall = sharp({ create: { width: 1_080, height: 12_000, channels: 3, background: '#c40' } })
  const data = (await tall.png().toBuffer()).toString('base64')
  server.answers['tools/call'] = result({
    content: [{ type: 'text', text: `data:image/png;base64,${data}` }],
    isError: null,
  })
  const stop = stage.model.otherwise({ say: 'Read.' })
  const cue = stage.model.script({ call: [{ name: 'page__shot', arguments: {} }] })
  const stream = await stage.chat(muxi.url, cue)
  expect(await stream.untilFinal()).toMatchObject({ type: 'message_end' })
  const output = String(stream.events.find(({ type }) => type === 'tool_call_end')?.data.output)
  expect(output).toMatch(/^\[image: image\/png, .*1080 × 12000 pixels, in 6 parts from top to bottom\]$/)
  stop()
  // The scripted model keeps no requests of this size: what was sent is read from the rows.
  const [row] = await stage.rows(`select images from tool_calls where name = ?`, 'page__shot')
  expect(JSON.parse(String(row!.images))).toEqual(
    Array.from({ length: 6 }, () => ({ media_type: 'image/png', sha256: expect.any(String) as string })),
  )
})
