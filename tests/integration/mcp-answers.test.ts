// What MCP servers answer in the field, over the wire: the tools that are offered, the warnings, and what the model gets.
import { readFile } from 'node:fs/promises'
import sharp from 'sharp'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readyAnswer } from '../../activities/mcp/answer-pictures.ts'
import { parseExact } from '../../contracts/exact-json.ts'
import { connect } from '../../mcp/connect.ts'
import type { McpConnection } from '../../mcp/connection.ts'
import { readAnswer } from '../../mcp/result.ts'
import { offeredTools } from '../../mcp/tools.ts'
import { freePort } from '../support/free-port.ts'
import { factsOf } from '../../providers/catalog.ts'
import { good, TOOL_FORMS } from '../support/mcp-tool-forms.ts'
import {
  asEvents,
  json,
  message,
  RawMcpServer,
  result,
  type RawReply,
  type RawRequest,
} from '../support/raw-mcp-server.ts'

const LONG_NUMBERS = '{"id":12345678901234567890,"share":0.1000000000000000055,"huge":1e400}'
const limits = { memory_mb: 512, time_ms: 20_000, output_bytes: 200_000_000, max_pixels: 100_000_000 }
const never = new AbortController().signal
let server: RawMcpServer
let connection: McpConnection | undefined
beforeEach(async () => {
  server = await RawMcpServer.start()
})
afterEach(async () => {
  await connection?.close()
  connection = undefined
  await server.close()
})

async function open(): Promise<McpConnection> {
  connection = await connect({
    target: { url: server.url, transport: 'auto', headers: {}, secrets: ['hunter22'] },
    fetch,
    version: '1',
    connect_ms: 10_000,
    max_message_bytes: 2 ** 24,
    signal: never,
  })
  return connection
}

interface Told {
  text: string
  is_error: boolean
  /** Sizes of the pictures that the model is shown. */
  pictures: string[]
}

/** What the model gets of an answer; `failed: …` for one that is reported as a failed call. */
async function ask(): Promise<Told> {
  const options = { owner: 'test', signal: never, silence_ms: 5_000, total_ms: 5_000, onProgress: () => {} }
  const pictures: string[] = []
  let answer
  try {
    answer = readAnswer(await (connection ?? (await open())).callTool('ask', {}, options))
  } catch (error) {
    const { kind, message: why } = error as { kind: string; message: string }
    return { text: `${kind}: ${why}`, is_error: true, pictures }
  }
  const { text } = await readyAnswer(answer, {
    models: [{ known: factsOf({ provider: 'openai', model: 'gpt-4.1' }, undefined, {}) }],
    owner: 'test',
    limits,
    keep: async (path) => {
      const { width, height, format } = await sharp(await readFile(path)).metadata()
      pictures.push(`${format} ${width}×${height}`)
      return 'kept'
    },
    clean: (given) => given,
    signal: never,
  })
  return { text, is_error: answer.is_error, pictures }
}

describe('a list of tools', () => {
  it.each(TOOL_FORMS)('%s', async (form, tool, offered, warning) => {
    const isFirst = !/again|taken/.test(form)
    server.answers['tools/list'] = result({ tools: isFirst ? [tool, good] : [good, tool] })
    const listing = await (await open()).listTools(never)
    const { tools, warnings } = offeredTools('s', listing.tools)
    const others = tools.filter((each) => each.tool !== 'good')
    expect(tools.filter((each) => each.tool === 'good')).toHaveLength(1)
    expect(others.map(({ parameters }) => JSON.parse(parameters) as unknown)).toEqual(offered ? [offered] : [])
    expect([...listing.warnings, ...warnings]).toEqual(warning ? [expect.stringMatching(warning)] : [])
  })

  it.each<[string, unknown, string[], RegExp[]]>([
    ['a result that is the list', [good], [], [/'tools' must be an array, got nothing/]],
    ['a result that is null', null, [], [/'tools' must be an array, got nothing/]],
    ['odd metadata', { tools: [good], _meta: 'x' }, ['good'], []],
    ['a cursor that is null', { tools: [good], nextCursor: null }, ['good'], []],
    ['an empty cursor', { tools: [good], nextCursor: '' }, ['good'], []],
    ['a cursor that is a number', { tools: [good], nextCursor: 7 }, ['good'], [/'nextCursor' must be a string/]],
    ['the same cursor', { tools: [good], nextCursor: 'a' }, ['good'], [/'nextCursor' must be new on each page/]],
  ])('%s', async (_, listed, names, warned) => {
    server.answers['tools/list'] = result(listed)
    const listing = await (await open()).listTools(never)
    expect(offeredTools('s', listing.tools).tools.map(({ tool }) => tool)).toEqual(names)
    expect(listing.warnings).toEqual(warned.map((warning) => expect.stringMatching(warning)))
  })

  const pages = (last: number) => {
    let page = 0
    return ({ id }: RawRequest) => {
      page += 1
      if (page > last) return undefined
      const tools = [{ ...good, name: `t${page}` }]
      return json({ jsonrpc: '2.0', id, result: { tools, nextCursor: `page ${page}` } })
    }
  }

  it('is read up to a number of pages', async () => {
    server.answers['tools/list'] = pages(1_000)
    const { tools, warnings } = await (await open()).listTools(never)
    expect(warnings).toEqual([expect.stringMatching(/more than 100 pages/)])
    expect(tools).toHaveLength(100)
  })

  it('is read up to a time', async () => {
    server.answers['tools/list'] = pages(2)
    const { tools, warnings } = await (await open()).listTools(never, { listing_ms: 1_000 })
    expect(warnings).toEqual([expect.stringMatching(/page 3 failed: it did not answer in time/)])
    expect(tools).toHaveLength(2)
  })
})

const SVG =
  '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="5"><rect width="4" height="5" fill="#c40"/></svg>'
const text = (words: string) => ({ type: 'text', text: words })
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const picture = (width: number, height: number) => sharp({ create: { width, height, channels: 3, background: '#c40' } })
let png = ''
let jpeg = ''
let webp = ''
let tall = ''
beforeAll(async () => {
  png = base64(await picture(3, 2).png().toBuffer())
  jpeg = base64(await picture(3, 2).jpeg().toBuffer())
  webp = base64(await picture(3, 2).webp().toBuffer())
  tall = base64(await picture(1_080, 12_000).png().toBuffer())
})
const noise = base64(Buffer.from(Array.from({ length: 3_000 }, (_, at) => (at * 7_919 + at ** 2) % 256)))

interface Form {
  answer: () => (request: RawRequest) => RawReply
  text: string | RegExp
  is_error?: boolean
  pictures?: string[]
}
const content = (...parts: unknown[]) => result({ content: parts })
const forms: Record<string, Form> = {
  text: { answer: () => content(text('hello')), text: 'hello' },
  'two texts': { answer: () => content(text('a'), text('b')), text: 'a\n\nb' },
  'no parts': { answer: () => content(), text: '' },
  'content that is missing': { answer: () => result({}), text: '[The server answered without content.]' },
  'content that is null': { answer: () => result({ content: null }), text: '[The server answered without content.]' },
  'content that is text': { answer: () => result({ content: 'hello' }), text: 'hello' },
  'content that is one part': { answer: () => result({ content: text('hello') }), text: 'hello' },
  'content that is a number': {
    answer: () => result({ content: 5 }),
    text: /Part 1 .* must be an object, got a number/,
  },
  'another result than content': {
    answer: () => result({ temperature: 5 }),
    text: `[The result must have 'content', got:]\n{"temperature":5}`,
  },
  'a result that is text': { answer: () => result('hello'), text: 'hello' },
  'a result that is null': { answer: () => result(null), text: '[The server answered without content.]' },
  'a result that is a list of parts': { answer: () => result([text('hello')]), text: 'hello' },
  'a result that is a number': { answer: () => result(7), text: /must be an object, got a number/ },
  'odd metadata': { answer: () => result({ content: [text('hello')], _meta: [] }), text: 'hello' },
  'a progress token that is an object': {
    answer: () => result({ content: [text('hello')], _meta: { progressToken: {} } }),
    text: 'hello',
  },
  'a part that is null': { answer: () => content(null, text('b')), text: /^\[Part 1 .*got null\]\n\nb$/ },
  'a part that is text': { answer: () => content('hello'), text: 'hello' },
  'a part without a type': { answer: () => content({ text: 'hello' }), text: 'hello' },
  'a part of an unknown type': {
    answer: () => content({ type: 'table', rows: [1] }, text('b')),
    text: `[Part 1 of the result has a type that is not known, 'table':]\n{"type":"table","rows":[1]}\n\nb`,
  },
  'text that is a number': { answer: () => content({ type: 'text', text: 5 }), text: '5' },
  'text that is null': {
    answer: () => content({ type: 'text', text: null }),
    text: /Part 1 .*'text' must be a string/,
  },
  'text that is an object': { answer: () => content({ type: 'text', text: { a: 1 } }), text: '{"a":1}' },
  'annotations that are wrong': { answer: () => content({ ...text('a'), annotations: 7 }), text: 'a' },
  'structured content only': { answer: () => result({ structuredContent: { a: 1 } }), text: '{"a":1}' },
  'structured content that is a list': { answer: () => result({ structuredContent: [1, 2] }), text: '[1,2]' },
  'structured content that is text': { answer: () => result({ structuredContent: 'a' }), text: 'a' },
  'structured content that the text says': {
    answer: () => result({ content: [text('{ "b": 2, "a": 1 }')], structuredContent: { a: 1, b: 2 } }),
    text: '{ "b": 2, "a": 1 }',
  },
  'structured content that the text says without its frame': {
    answer: () => result({ content: [text('5')], structuredContent: { result: 5 } }),
    text: '5',
  },
  'structured content whose every value the text holds': {
    answer: () =>
      result({
        content: [text('Pumps: 12 bar, see https://pumps.test/')],
        structuredContent: { name: 'Pumps', bar: 12, url: 'https://pumps.test/' },
      }),
    text: 'Pumps: 12 bar, see https://pumps.test/',
  },
  'structured content whose number only looks like one of the text': {
    answer: () => result({ content: [text('112 bar')], structuredContent: { bar: 12 } }),
    text: '112 bar\n\n{"bar":12}',
  },
  'structured content with long numbers': {
    answer: () => result({ structuredContent: parseExact(LONG_NUMBERS), _meta: { seen: 1 } }),
    text: LONG_NUMBERS,
  },
  'structured content that says more': {
    answer: () => result({ content: [text('done')], structuredContent: { id: 7 } }),
    text: 'done\n\n{"id":7}',
  },
  'an error in text': { answer: () => result({ content: [text('no')], isError: true }), text: 'no', is_error: true },
  'an error in structured content': {
    answer: () => result({ structuredContent: { why: 'no' }, isError: true }),
    text: '{"why":"no"}',
    is_error: true,
  },
  'an error without content': { answer: () => result({ isError: true }), text: /without content/, is_error: true },
  'isError that is text': { answer: () => result({ content: [text('a')], isError: 'false' }), text: 'a' },
  'isError that is null': { answer: () => result({ content: [text('a')], isError: null }), text: 'a' },
  'a resource link': {
    answer: () => content({ type: 'resource_link', uri: 'file:///a', name: 'a', mimeType: 'text/csv' }),
    text: '[resource: a, file:///a, text/csv]',
  },
  'a resource link without a name': {
    answer: () => content({ type: 'resource_link', uri: 'file:///a' }),
    text: '[resource: file:///a]',
  },
  'a resource with text': {
    answer: () => content({ type: 'resource', resource: { uri: 'file:///a', text: 'inside' } }),
    text: '[resource: file:///a]\ninside',
  },
  'a resource with bytes': {
    answer: () =>
      content({ type: 'resource', resource: { uri: 'file:///a', blob: 'AAAA', mimeType: 'application/pdf' } }),
    text: '[resource file:///a: application/pdf, 3 bytes, not shown]',
  },
  'a resource with a picture': {
    answer: () => content({ type: 'resource', resource: { uri: 'file:///a', blob: png } }),
    text: /^\[resource file:\/\/\/a: .* 3 × 2 pixels\]$/,
    pictures: ['png 3×2'],
  },
  'a resource without anything': {
    answer: () => content({ type: 'resource', resource: { uri: 'file:///a' } }),
    text: /must have a 'text' or a 'blob'/,
  },
  'a resource that is null': {
    answer: () => content({ type: 'resource', resource: null }),
    text: /'resource' must be an obj/,
  },
  audio: {
    answer: () => content({ type: 'audio', data: 'AAAA', mimeType: 'audio/wav' }),
    text: '[audio: audio/wav, 3 bytes, not shown]',
  },
  'a picture': {
    answer: () => content({ type: 'image', data: png, mimeType: 'image/png' }),
    text: /^\[image: image\/png, \d+ bytes, 3 × 2 pixels\]$/,
    pictures: ['png 3×2'],
  },
  'a picture with a media type in another spelling': {
    answer: () => content({ type: 'image', data: jpeg, mimeType: 'IMAGE/JPG; q=1' }),
    text: /^\[image: image\/jpeg, \d+ bytes, 3 × 2 pixels\]$/,
    pictures: ['jpeg 3×2'],
  },
  'a picture with another media type': {
    answer: () => content({ type: 'image', data: webp, mimeType: 'image/png' }),
    text: /^\[image: image\/png, \d+ bytes, in fact image\/webp, 3 × 2 pixels\]$/,
    pictures: [expect.stringContaining('3×2') as string],
  },
  'a picture without a media type': {
    answer: () => content({ type: 'image', data: png }),
    text: /no media type, .*in fact image\/png/,
    pictures: ['png 3×2'],
  },
  'a picture as a data URI': {
    answer: () => content({ type: 'image', data: `data:image/png;base64,${png}` }),
    text: /^\[image: image\/png, \d+ bytes, 3 × 2 pixels\]$/,
    pictures: ['png 3×2'],
  },
  "a picture in the form of Anthropic's API": {
    answer: () => content({ type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } }),
    text: /3 × 2 pixels/,
    pictures: ['png 3×2'],
  },
  'a picture in a format that models do not take': {
    answer: () => content({ type: 'image', data: base64(Buffer.from(SVG)), mimeType: 'image/svg+xml' }),
    text: /^\[image: image\/svg\+xml, \d+ bytes, 4 × 5 pixels\]$/,
    pictures: ['png 4×5'],
  },
  'a picture that is cut off': {
    answer: () => content({ type: 'image', data: png.slice(0, 60), mimeType: 'image/png' }, text('b')),
    text: /^\[image: image\/png, 45 bytes, not shown: The picture is damaged and cannot be read\]\n\nb$/,
  },
  'a picture that is none': {
    answer: () => content({ type: 'image', data: 'AAAA', mimeType: 'image/png' }),
    text: '[image: image/png, 3 bytes, not shown: The file is no picture that can be read]',
  },
  'a picture without data': {
    answer: () => content({ type: 'image', data: '', mimeType: 'image/png' }),
    text: /not shown/,
  },
  'a picture whose data is null': {
    answer: () => content({ type: 'image', data: null }),
    text: /'data' must be base64/,
  },
  'a picture whose data is an address': {
    answer: () => content({ type: 'image', data: 'https://x/y.png', mimeType: 'image/png' }),
    text: /'data' must be base64, got other text/,
  },
  'a picture so tall that it is cut': {
    answer: () => content({ type: 'image', data: tall, mimeType: 'image/png' }),
    text: /1080 × 12000 pixels, in 6 parts from top to bottom\]$/,
    pictures: [...Array.from({ length: 5 }, () => 'png 1060×2048'), expect.stringMatching(/^png 1060×\d+$/) as string],
  },
  'a data URI in text': {
    answer: () => content(text(`See ![it](data:image/png;base64,${png}) here`)),
    text: /^See !\[it\]\(\[image: image\/png, \d+ bytes, 3 × 2 pixels\]\) here$/,
    pictures: ['png 3×2'],
  },
  'a data URI in JSON with escaped slashes': {
    answer: () => content(text(`{"a":"data:image\\/png;base64,${png.replaceAll('/', '\\/')}"}`)),
    text: /^\{"a":"\[image: .*3 × 2 pixels\]"\}$/,
    pictures: ['png 3×2'],
  },
  'a data URI in structured content': {
    answer: () => result({ structuredContent: { chart: `data:image/png;base64,${png}`, n: 1 } }),
    text: /^\{"chart":"\[image: .*3 × 2 pixels\]","n":1\}$/,
    pictures: ['png 3×2'],
  },
  'a data URI of something else': {
    answer: () => content(text('data:application/pdf;base64,AAAA')),
    text: '[application/pdf, 4 characters of base64, left out]',
  },
  'a long run of base64': {
    answer: () => content(text(`a ${noise} b`)),
    text: 'a [4000 characters of base64, left out] b',
  },
  'base64 in lines': {
    answer: () => content(text(`a\n${noise.replaceAll(/.{76}/g, '$&\n')}\n\nb`)),
    text: 'a\n[4000 characters of base64, left out]\n\nb',
  },
  'base64 in an unknown part': {
    answer: () => content({ type: 'file', data: noise }),
    text: /"data":"\[4000 characters of base64, left out\]"/,
  },
  'many digits': { answer: () => content(text('3'.repeat(5_000))), text: '3'.repeat(5_000) },
  hexadecimal: { answer: () => content(text('0a1b'.repeat(500))), text: '0a1b'.repeat(500) },
  'an error of JSON-RPC': {
    answer: () =>
      message((id) => ({ jsonrpc: '2.0', id, error: { code: -32_602, message: 'bad', data: { at: 'q' } } })),
    text: 'answered: bad ({"at":"q"})',
    is_error: true,
  },
  'an error with the code of a timeout': {
    answer: () =>
      message((id) => ({ jsonrpc: '2.0', id, error: { code: -32_001, message: 'slow', data: { timeout: 1 } } })),
    text: 'answered: slow ({"timeout":1})',
    is_error: true,
  },
  'an error with the code of a lost connection': {
    answer: () => message((id) => ({ jsonrpc: '2.0', id, error: { code: -32_000, message: 'Connection closed' } })),
    text: 'answered: Connection closed',
    is_error: true,
  },
  'an error whose code is text': {
    answer: () => message((id) => ({ jsonrpc: '2.0', id, error: { code: 'E_BAD', message: 'bad' } })),
    text: 'answered: bad',
    is_error: true,
  },
  'an error without a message': {
    answer: () => message((id) => ({ jsonrpc: '2.0', id, error: { code: -1 } })),
    text: 'answered: {"code":-1}',
    is_error: true,
  },
  'an error that is text': {
    answer: () => message((id) => ({ jsonrpc: '2.0', id, error: 'bad' })),
    text: 'answered: bad',
    is_error: true,
  },
  'an error without an id': {
    answer: () => message(() => ({ jsonrpc: '2.0', id: null, error: { code: -32_700, message: 'bad' } })),
    text: 'answered: bad',
    is_error: true,
  },
  'a result beside an error that is null': {
    answer: () => message((id) => ({ jsonrpc: '2.0', id, error: null, result: { content: [text('hello')] } })),
    text: 'hello',
  },
  'a message without a version': { answer: () => message((id) => ({ id, result: { content: 'a' } })), text: 'a' },
  'a message with an id that is text': {
    answer: () => message((id) => ({ jsonrpc: '2.0', id: String(id), result: { content: 'a' } })),
    text: 'a',
  },
  'a message with other fields': {
    answer: () => message((id) => ({ jsonrpc: '2.0', id, x: 1, result: { content: 'a' } })),
    text: 'a',
  },
  'a batch of one': { answer: () => message((id) => [{ jsonrpc: '2.0', id, result: { content: 'a' } }]), text: 'a' },
}

describe.each(['JSON', 'an event stream'])('the result of a call, as %s', (kind) => {
  it.each(Object.entries(forms))('%s', async (_, { answer, is_error = false, pictures = [], text: told }) => {
    server.answers['tools/call'] = kind === 'JSON' ? answer() : asEvents(answer())
    expect(await ask()).toEqual({
      text: typeof told === 'string' ? told : expect.stringMatching(told),
      is_error,
      pictures,
    })
  })
})

const hello = ({ id }: RawRequest) => JSON.stringify({ jsonrpc: '2.0', id, result: { content: 'hello' } })
it.each<[string, (request: RawRequest) => RawReply, string | RegExp]>([
  ['JSON called text', (request) => ({ type: 'text/plain', body: hello(request) }), 'hello'],
  ['JSON without a media type', (request) => ({ type: '', body: hello(request) }), 'hello'],
  ['events called JSON', (request) => ({ body: `data: ${hello(request)}\n\n` }), 'hello'],
  ['a page', () => ({ type: 'text/html', body: '<html>' }), /^answered: the response must be .* text\/html: <html>$/],
  ['nothing', () => ({ body: '' }), /^answered: the response must be .*got nothing$/],
  ['half a message', () => ({ body: '{"jsonrpc":' }), /^answered: the response must be a message/],
  ['another object', () => ({ body: '{"a":1}' }), /^answered: the response must be a message/],
  [
    'an error with status 500',
    ({ id }) => ({ status: 500, ...json({ jsonrpc: '2.0', id, error: { code: -1, message: 'bad' } }) }),
    'answered: bad',
  ],
  [
    'an error with status 400',
    ({ id }) => ({ status: 400, ...json({ jsonrpc: '2.0', id, error: { code: -1, message: 'bad' } }) }),
    'answered: bad',
  ],
])('a response that is %s', async (_, answer, told) => {
  server.answers['tools/call'] = answer
  expect((await ask()).text).toEqual(typeof told === 'string' ? told : expect.stringMatching(told))
})

it('a status of HTTP is told with the address', async () => {
  server.answers['tools/call'] = () => ({ status: 503, type: 'text/plain', body: 'busy' })
  expect((await ask()).text).toBe(`lost: it answered 503 on HTTP at ${server.url}`)
  const { origin } = new URL(`http://127.0.0.1:${await freePort()}`)
  const url = `${origin}/secret/abcdef0123456789?key=1`
  const refused = connect({
    target: { url, transport: 'auto', headers: {}, secrets: [] },
    fetch,
    version: '1',
    connect_ms: 5_000,
    max_message_bytes: 1_000,
    signal: never,
  })
  await expect(refused).rejects.toThrow(`it cannot be reached at ${origin}/secret/… (ECONNREFUSED)`)
})

it.each([
  ['JSON', { body: '{}' }],
  ['a page', { type: 'text/html', body: '<html>' }],
  ['nothing', { type: '', body: '' }],
])('a stream that is answered with %s is asked for once', async (_, stream) => {
  server.stream = stream
  await open()
  await expect.poll(() => server.asked.filter((method) => method === 'GET')).toHaveLength(1)
  await connection!.ping(never)
  server.answers['tools/call'] = result({ content: 'hello' })
  expect((await ask()).text).toBe('hello')
  // The client asks again after a second at the earliest: a timer that is not there cannot be waited for.
  expect(server.asked.filter((method) => method === 'GET')).toHaveLength(1)
})
