// The OpenAI-compatible API with the official package for Node, unpatched.
import OpenAI, {
  type APIError,
  AuthenticationError,
  BadRequestError,
  NotFoundError,
  PermissionDeniedError,
} from 'openai'
import sharp from 'sharp'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { HeldReply } from '../support/held-reply.ts'
import { FAULTY, NODE } from '../support/mcp-servers.ts'
import { sound, spoken } from '../support/media.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { WhisperDouble } from '../support/whisper-double.ts'
import { manyWords } from '../support/words.ts'
import { keeps } from './requirements.ts'

let stage: Stage
let api: Muxi
let worker: Muxi
let whisper: WhisperDouble
let client: OpenAI
beforeAll(async () => {
  whisper = await WhisperDouble.start()
  stage = await openStage({ env: { MUXI_MCP_COMMANDS: NODE, MUXI_TRANSCRIPTION: whisper.url } })
  api = await stage.start('api')
  worker = await stage.start('worker')
  client = clientWith(stage.key)
  return async () => {
    await stage.close()
    await whisper.stop()
  }
})
afterEach(async () => {
  stage.model.assertUsed()
  await stage.check()
})

const clientWith = (apiKey: string) => new OpenAI({ baseURL: `${api.url}/v1`, apiKey, maxRetries: 0 })
const user = (content: string) => ({ role: 'user' as const, content })
const turnOf = (id: string) => stage.turn(api.url, id.replace('chatcmpl-', ''))

/** What a request with these fields raises. */
const failure = (fields: object): Promise<APIError> =>
  client.chat.completions
    .create({ model: 'scripted', messages: [user('Hello')], ...fields } as never)
    .then(() => Promise.reject(new Error('it was answered')))
    .catch((error: unknown) => error as APIError)

/** The raw bytes of a stream. */
async function raw(fields: object): Promise<string> {
  const body = { model: 'scripted', stream: true, ...fields }
  return (await stage.call(api.url, '/v1/chat/completions', { body })).text
}

/** With what differs from run to run replaced. */
const golden = (text: string) =>
  text
    .replaceAll(/turn_[0-9a-f]{32}/g, 'turn_1')
    .replaceAll(/"created":\d+/g, '"created":1')
    .replaceAll(/call_[0-9a-f]{32}/g, 'call_1')

const WEATHER = {
  type: 'function' as const,
  function: {
    name: 'weather',
    description: 'The weather of a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}

it(keeps('openai.models', 'each agent is a model, auto is the orchestrator'), async () => {
  const models = await client.models.list()
  expect(models.data.map(({ id }) => id)).toEqual(['auto', 'offline', 'scripted'])
  expect(await client.models.retrieve('scripted')).toMatchObject({ id: 'scripted', object: 'model', owned_by: 'muxi' })
  await expect(client.models.retrieve('nobody')).rejects.toThrow(NotFoundError)
})

it(keeps('openai.chat', 'with the conversation that the request brings'), async () => {
  const cue = stage.model.script({ say: 'Bonjour.' })
  const reply = await client.chat.completions.create({
    model: 'scripted',
    messages: [
      { role: 'system', content: 'Answer in French.' },
      user('Hello'),
      { role: 'assistant', content: 'Salut.' },
      { role: 'developer', content: [{ type: 'text', text: 'Be brief.' }] },
      user(cue),
    ],
    temperature: 0.25,
    max_completion_tokens: 77,
    seed: 7,
    stop: 'END',
    frequency_penalty: 0.5,
    presence_penalty: 0,
    reasoning_effort: 'minimal',
    tools: [{ ...WEATHER, function: { ...WEATHER.function, strict: true } }],
    user: 'carla',
  })
  expect(reply).toMatchObject({
    object: 'chat.completion',
    model: 'scripted',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Bonjour.' }, finish_reason: 'stop' }],
  })
  expect(reply.usage!.total_tokens).toBe(reply.usage!.prompt_tokens + reply.usage!.completion_tokens)
  const [asked] = stage.model.requests(cue)
  expect(asked).toMatchObject({
    temperature: 0.25,
    max_tokens: 77,
    seed: 7,
    stop: ['END'],
    frequency_penalty: 0.5,
    reasoning_effort: 'low',
  })
  expect(asked).not.toHaveProperty('presence_penalty')
  expect(asked!.tools![0]).toMatchObject({ function: { name: 'weather', strict: true } })
  expect(asked!.messages).toEqual([
    { role: 'system', content: 'You say what the test scripted.\n\nAnswer in French.\n\nBe brief.' },
    user('Hello'),
    { role: 'assistant', content: 'Salut.' },
    user(cue),
  ])
  const turn = await turnOf(reply.id)
  expect(turn).toMatchObject({
    status: 'completed',
    user_id: 'carla',
    message: { agent_response: { content: 'Bonjour.' } },
  })
  const { body: log } = await stage.call(api.url, `/api/v1/turns/${turn.turn_id}/log`)
  expect(log.totals).toMatchObject({ model_calls: 1, input_tokens: reply.usage!.prompt_tokens })
})

it(keeps('openai.chat', 'a conversation without a message of the user goes on'), async () => {
  const rest = stage.model.otherwise({ say: 'I go on.' })
  const system = { role: 'system' as const, content: 'Tell a story.' }
  const said = { role: 'assistant' as const, content: 'Once upon a time' }
  for (const messages of [[system], [system, said], [said]]) {
    const reply = await client.chat.completions.create({ model: 'scripted', messages })
    expect(reply.choices[0]!.message.content).toBe('I go on.')
    const [asked] = stage.model.requests('(Go on.)').slice(-1)
    expect(JSON.stringify(asked!.messages)).toContain(messages.at(-1)!.content)
    expect(asked!.messages.at(-1)).toEqual(user('(Go on.)'))
  }
  rest()
})

it(keeps('openai.chat', 'a conversation of more values than other requests may have'), async () => {
  const cue = stage.model.script({ say: 'Still here.' })
  const before = Array.from({ length: 2_000 }, (_, n) => [
    user(`${n}`),
    { role: 'assistant' as const, content: 'Yes.' },
  ])
  const reply = await client.chat.completions.create({ model: 'scripted', messages: [...before.flat(), user(cue)] })
  expect(reply.choices[0]!.message.content).toBe('Still here.')
})

it(keeps('openai.hidden', 'in no list, but in the export of the user'), async () => {
  const cue = stage.model.script({ say: 'Hello Dora.' })
  const reply = await client.chat.completions.create({
    model: 'scripted',
    messages: [user('My cat is called Mia.'), { role: 'assistant', content: 'Noted.' }, user(cue)],
    user: 'dora',
  })
  const { conversation_id } = await turnOf(reply.id)
  const list = await stage.call(api.url, '/api/v1/conversations?user_id=dora')
  expect(list.body.conversations).toEqual([])
  for (const path of ['', '/messages', '/export'])
    expect((await stage.call(api.url, `/api/v1/conversations/${conversation_id}${path}`)).status, path).toBe(404)
  const more = { body: { content: 'And?', conversation_id, user_id: 'dora' } }
  expect((await stage.call(api.url, '/api/v1/agents/scripted/chat', more)).status).toBe(404)
  const { body: exported } = await stage.call(api.url, '/api/v1/users/dora/export')
  expect(exported.conversations).toMatchObject([{ id: conversation_id, messages: [{ content: cue }, {}] }])
  expect(JSON.stringify(exported.conversations)).toContain('My cat is called Mia.')
})

it(keeps('openai.stream', 'its text, its usage and its end, byte for byte'), async () => {
  const cue = stage.model.script({ say: 'One two.', piece: 100 })
  const text = await raw({ messages: [user(cue)], stream_options: { include_usage: true }, made_up: true })
  const { usage } = (await turnOf(/turn_\w+/.exec(text)![0])).message
  const { input_tokens, output_tokens } = usage
  const head = '"id":"chatcmpl-turn_1","object":"chat.completion.chunk","created":1,"model":"scripted"'
  const chunk = (delta: string, finish: string) =>
    `data: {${head},"choices":[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${finish}}],"usage":null}\n\n`
  expect(golden(text)).toBe(
    chunk('{"role":"assistant","content":"","refusal":null}', 'null') +
      chunk('{"content":"One two."}', 'null') +
      chunk('{}', '"stop"') +
      `data: {${head},"choices":[],"usage":{"prompt_tokens":${input_tokens},"completion_tokens":${output_tokens},"total_tokens":${input_tokens + output_tokens}}}\n\n` +
      'data: [DONE]\n\n',
  )
})

it(keeps('openai.stream', 'read by the client, with why it was cut'), async () => {
  const cue = stage.model.script({ say: 'One two three four five.', finish: 'length' })
  const stream = client.chat.completions.stream({ model: 'scripted', messages: [user(cue)] })
  expect((await stream.finalChatCompletion()).choices[0]).toMatchObject({
    finish_reason: 'length',
    message: { content: 'One two three four five.' },
  })
  const again = stage.model.script({ say: 'One two three.' })
  const chunks = await Array.fromAsync(
    await client.chat.completions.create({ model: 'scripted', messages: [user(again)], stream: true }),
  )
  expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('One two three.')
  expect(chunks.at(-1)!.choices[0]!.finish_reason).toBe('stop')
  expect(chunks.some((chunk) => 'usage' in chunk)).toBe(false)
})

it(keeps('openai.tools', "the caller's calls are returned, and their results go on"), async () => {
  const cue = stage.model.script(
    {
      say: 'Let me see. ',
      call: [
        { name: 'weather', arguments: { city: 'Oslo' } },
        { name: 'weather', arguments: { city: 'Rome' } },
      ],
    },
    { say: 'Rain and sun.' },
  )
  const asked = { model: 'scripted', tools: [WEATHER] }
  const first = await client.chat.completions.create({ ...asked, messages: [user(cue)] })
  const { message, finish_reason } = first.choices[0]!
  expect(finish_reason).toBe('tool_calls')
  expect(message.content).toBe('Let me see. ')
  const calls = message.tool_calls!.map((call) => (call.type === 'function' ? call.function : undefined))
  expect(calls).toEqual([
    { name: 'weather', arguments: '{"city":"Oslo"}' },
    { name: 'weather', arguments: '{"city":"Rome"}' },
  ])
  const turn = await turnOf(first.id)
  expect(turn.message.agent_response.tool_calls).toMatchObject([{ server: 'caller', is_error: false }, {}])
  const [oslo, rome] = message.tool_calls!
  const second = await client.chat.completions.create({
    ...asked,
    messages: [
      user(cue),
      message,
      { role: 'tool', tool_call_id: oslo!.id, content: 'rain' },
      { role: 'tool', tool_call_id: rome!.id, content: 'sun' },
    ],
  })
  expect(second.choices[0]).toMatchObject({ message: { content: 'Rain and sun.' }, finish_reason: 'stop' })
  const told = stage.model.requests(cue)[1]!
  expect(told.tools!.map((tool) => tool.function.name)).toContain('weather')
  expect(told.messages.slice(1)).toMatchObject([
    user(cue),
    { role: 'assistant', content: 'Let me see. ', tool_calls: [{ function: { name: 'weather' } }, {}] },
    { role: 'tool', content: 'rain' },
    { role: 'tool', content: 'sun' },
  ])
})

it(keeps('openai.tools', 'streamed, byte for byte'), async () => {
  const cue = stage.model.script({ call: [{ name: 'weather', arguments: { city: 'Oslo' } }] })
  const text = golden(await raw({ messages: [user(cue)], tools: [WEATHER], tool_choice: 'required' }))
  const choice = (delta: string, finish = 'null') =>
    `data: {"id":"chatcmpl-turn_1","object":"chat.completion.chunk","created":1,"model":"scripted","choices":[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${finish}}]}\n\n`
  expect(text).toBe(
    choice('{"role":"assistant","content":"","refusal":null}') +
      choice(
        '{"tool_calls":[{"index":0,"id":"call_1_0","type":"function","function":{"name":"weather","arguments":""}}]}',
      ) +
      choice('{"tool_calls":[{"index":0,"function":{"arguments":"{\\"city\\":\\"Oslo\\"}"}}]}') +
      choice('{}', '"tool_calls"') +
      'data: [DONE]\n\n',
  )
  const [asked] = stage.model.requests(cue)
  expect(asked).toMatchObject({ tool_choice: 'required' })
  expect(asked!.tools!.map((tool) => tool.function.name)).toEqual(['weather'])
})

it(keeps('openai.tools', "the agent's own calls of the same step are made first"), async () => {
  const weather = { name: 'weather', arguments: { city: 'Oslo' } }
  const cue = stage.model.script(
    { call: [{ name: 'count', arguments: { label: 'own' } }, weather] },
    { call: [weather, { ...weather, arguments: { city: 'Rome' } }] },
  )
  const reply = await client.chat.completions.create({
    model: 'scripted',
    tools: [WEATHER],
    parallel_tool_calls: false,
    messages: [user(cue)],
  })
  expect(reply.choices[0]!.message.tool_calls).toHaveLength(1)
  expect(stage.counted().filter((label) => label === 'own')).toHaveLength(1)
  const results = stage.model.requests(cue)[1]!.messages.filter(({ role }) => role === 'tool')
  expect(results.map(({ content }) => content)).toEqual([
    expect.stringContaining('"counted"'),
    expect.stringContaining('Make this call again'),
  ])
})

it(keeps('openai.chat', 'an answer that follows a schema'), async () => {
  const cue = stage.model.script({ say: '{"city":"Oslo"}' })
  const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
  const reply = await client.chat.completions.create({
    model: 'scripted',
    messages: [user(cue)],
    response_format: { type: 'json_schema', json_schema: { name: 'city', strict: true, schema } },
  })
  expect(JSON.parse(reply.choices[0]!.message.content!)).toEqual({ city: 'Oslo' })
  expect(stage.model.requests(cue)[0]!.response_format).toMatchObject({ type: 'json_schema' })
})

/** An agent whose model answers these chunks, one list per request. */
async function agentWith(id: string, ...answers: object[][]): Promise<string> {
  stage.model.raw(id, ...answers.map((chunks) => [...chunks.map((chunk) => JSON.stringify(chunk)), '[DONE]']))
  const model = { provider: 'openai', model: 'gpt-4.1-mini', base_url: stage.model.rawUrl(id) }
  const body = { id, description: 'Refuses.', system_message: 'Refuse.', model }
  expect((await stage.call(api.url, '/api/v1/agents', { body })).status).toBe(201)
  return id
}

const delta = (fields: object, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta: fields, finish_reason }],
})
const CITY = {
  type: 'json_schema' as const,
  json_schema: { name: 'city', schema: { type: 'object', properties: { city: { type: 'string' } } } },
}

it(keeps('openai.chat', 'a refusal is no content, and is not asked for again, with a schema and without'), async () => {
  const refused = [delta({ refusal: 'I cannot ' }), delta({ refusal: 'do that.' }), delta({}, 'stop')]
  const model = await agentWith('refusing', refused, refused, refused, refused, refused)
  for (const format of [undefined, CITY]) {
    const asked = { model, messages: [user('Hello')], ...(format && { response_format: format }) }
    const whole = await client.chat.completions.create(asked)
    expect(whole.choices[0]).toMatchObject({
      message: { content: null, refusal: 'I cannot do that.' },
      finish_reason: 'stop',
    })
    const stream = client.chat.completions.stream(asked)
    const { choices } = await stream.finalChatCompletion()
    expect(choices[0]).toMatchObject({
      message: { content: '', refusal: 'I cannot do that.' },
      finish_reason: 'stop',
    })
    expect(await turnOf(whole.id)).toMatchObject({
      message: { agent_response: { content: 'I cannot do that.' } },
    })
  }
  expect(stage.model.calls(model)).toBe(4)
  const chat = { content: 'Hello', response_schema: CITY.json_schema.schema }
  const { status, body } = await stage.call(api.url, `/api/v1/agents/${model}/chat`, { body: chat })
  expect([status, body.error.message]).toEqual([502, expect.stringContaining('refused to answer')])
  expect(stage.model.calls(model)).toBe(5)
})

it(keeps('openai.chat', 'an answer with a schema that reaches its limit is given as far as it goes'), async () => {
  const cut = [delta({ content: '{"city":"Os' }), delta({}, 'length')]
  const model = await agentWith('cut', cut, cut)
  const asked = { model, messages: [user('Hello')], response_format: CITY }
  const expected = { message: { content: '{"city":"Os' }, finish_reason: 'length' }
  expect((await client.chat.completions.create(asked)).choices[0]).toMatchObject(expected)
  const chunks = await Array.fromAsync(await client.chat.completions.create({ ...asked, stream: true }))
  expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('{"city":"Os')
  expect(chunks.at(-1)!.choices[0]!.finish_reason).toBe('length')
  expect(stage.model.calls(model)).toBe(2)
})

it(
  keeps('openai.media', 'pictures are shown, recordings are heard, where they stand in the conversation'),
  async () => {
    const cue = stage.model.script({ say: 'Blue.' })
    const blue = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'blue' } })
      .png()
      .toBuffer()
    const recording = await sound(stage.folder, 'said.wav', spoken(2))
    await client.chat.completions.create({
      model: 'scripted',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Which colour?' },
            { type: 'image_url', image_url: { url: `data:image/png;base64,${blue.toString('base64')}` } },
          ],
        },
        { role: 'assistant', content: 'Red.' },
        {
          role: 'user',
          content: [
            { type: 'input_audio', input_audio: { data: recording.toString('base64'), format: 'wav' } },
            { type: 'text', text: cue },
          ],
        },
      ],
    })
    const [asked] = stage.model.requests(cue)
    const parts = asked!.messages.map(({ content }) => (typeof content === 'string' ? content : content!))
    expect(parts[1]).toMatchObject([
      { type: 'text', text: 'Which colour?' },
      { type: 'image_url', image_url: { url: expect.stringMatching(/^data:image\//) } },
    ])
    expect(JSON.stringify(parts)).toContain('a recording of')
    expect(JSON.stringify(parts)).toContain('A gull cried')
  },
)

it(keeps('openai.embeddings', 'as numbers and in base64, which the client asks for'), async () => {
  const { data, model, usage } = await client.embeddings.create({ model: 'any', input: ['one boat', 'two'] })
  expect(model).toMatch(/hashing/)
  expect(data.map(({ embedding }) => embedding.length)).toEqual([384, 384])
  const plain = await client.embeddings.create({ model: 'any', input: 'one boat', encoding_format: 'float' })
  expect(plain.data[0]!.embedding).toEqual(data[0]!.embedding)
  expect(usage.total_tokens).toBeGreaterThan(0)
  await expect(client.embeddings.create({ model: 'any', input: 'x', dimensions: 5 })).rejects.toThrow(/dimensions/)
  for (const input of [
    [1, 2, 3],
    [[1, 2], [3]],
  ]) {
    const tokens = client.embeddings.create({ model: 'any', input })
    await expect(tokens).rejects.toMatchObject({
      status: 400,
      param: 'input.0',
      message: expect.stringContaining('tokens are not taken'),
    })
  }
})

it(keeps('openai.audio', 'a recording becomes text'), async () => {
  const file = new File([new Uint8Array(await sound(stage.folder, 'talk.wav', spoken(2)))], 'talk.wav')
  const said = await client.audio.transcriptions.create({ file, model: 'whisper-1', prompt: 'Gulls.', temperature: 0 })
  expect(said.text).toContain('A gull cried')
})

it(keeps('openai.audio', 'a transcript is streamed where its form can be'), async () => {
  const bytes = new Uint8Array(await sound(stage.folder, 'long.wav', spoken(2)))
  const file = new File([bytes], 'long.wav')
  const asked = { file, model: 'gpt-4o-transcribe', language: 'en-GB' }
  const events = await Array.fromAsync(await client.audio.transcriptions.create({ ...asked, stream: true }))
  const whole = await client.audio.transcriptions.create(asked)
  expect(events.map(({ type }) => type)).toEqual([
    ...events.slice(1).map(() => 'transcript.text.delta'),
    'transcript.text.done',
  ])
  expect(events.length).toBeGreaterThan(1)
  expect(events.map((event) => (event.type === 'transcript.text.delta' ? event.delta : '')).join('')).toBe(whole.text)
  expect(events.at(-1)).toEqual({ type: 'transcript.text.done', text: whole.text })
  const prompt = 'Gull. '.repeat(1_000)
  const verbose = { ...asked, response_format: 'verbose_json', timestamp_granularities: ['word', 'segment'], prompt }
  const timed = client.audio.transcriptions.create({ ...verbose, stream: true } as never)
  const response = await (timed as unknown as { asResponse(): Promise<globalThis.Response> }).asResponse()
  expect(await response.json()).toMatchObject({ text: whole.text, segments: [{ start: 0 }] })
  const wrong = client.audio.transcriptions.create({ ...asked, language: 'English' })
  await expect(wrong).rejects.toMatchObject({ status: 400, param: 'language' })
})

it(keeps('openai.errors', 'of its classes, with a code, a field and the id of the request'), async () => {
  const other = await stage.call(api.url, '/api/v1/keys', {
    body: { name: 'bound', scopes: ['chat'], user_id: 'anna' },
  })
  const wrong = clientWith('sk_muxi_wrong').models.list()
  await expect(wrong).rejects.toBeInstanceOf(AuthenticationError)
  await expect(wrong).rejects.toMatchObject({ status: 401, code: 'invalid_api_key', requestID: expect.any(String) })
  const foreign = clientWith(other.body.key).chat.completions.create({
    model: 'scripted',
    messages: [user('Hello')],
    user: 'bert',
  })
  await expect(foreign).rejects.toBeInstanceOf(PermissionDeniedError)
  const missing = await failure({ model: 'nobody' })
  expect(missing).toBeInstanceOf(NotFoundError)
  expect(missing).toMatchObject({ code: 'model_not_found', type: 'invalid_request_error', param: 'model' })
  const wrongs: [object, string][] = [
    [{ messages: [] }, 'messages'],
    [{ temperature: 'warm' }, 'temperature'],
    [{ n: 2 }, 'n'],
    [{ messages: [user('x'), { role: 'tool', tool_call_id: 'call_x', content: 'y' }] }, 'messages.1.tool_call_id'],
    [{ tool_choice: 'required' }, 'tool_choice'],
    [{ user: 'a/b' }, 'user'],
    [
      {
        messages: [
          user('Listen.'),
          { role: 'user', content: [{ type: 'input_audio', input_audio: { data: '?', format: 'wav' } }] },
        ],
      },
      'messages.1.content.0.input_audio.data',
    ],
    [
      { response_format: { ...CITY, json_schema: { name: 'city', schema: { type: 'objekt' } } } },
      'response_format.json_schema.schema',
    ],
    [
      {
        messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://169.254.169.254/x' } }] }],
      },
      'messages.0.content.0.image_url.url',
    ],
  ]
  for (const [fields, param] of wrongs) {
    const error = await failure(fields)
    expect(error, `${param}: ${error}`).toBeInstanceOf(BadRequestError)
    expect(error.param).toBe(param)
  }
  for (const fields of [{ logprobs: true }, { functions: [WEATHER.function] }, { function_call: 'auto' }]) {
    const [param] = Object.keys(fields)
    expect(await failure(fields)).toMatchObject({ status: 400, code: 'unsupported_parameter', param })
  }
  const { body } = await stage.call(api.url, '/v1/nothing')
  expect(body).toEqual({
    error: { message: expect.any(String), type: 'invalid_request_error', param: null, code: 'not_found' },
  })
  expect((await stage.call(api.url, '/v1/models', { method: 'POST', body: {} })).body.error.code).toBe(
    'method_not_allowed',
  )
})

it(keeps('openai.errors', 'of a model that fails: not asked again by the client'), async () => {
  const cue = stage.model.script({ fail: 401, words: 'no such key' })
  const retrying = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: stage.key, maxRetries: 2 })
  const error = await retrying.chat.completions
    .create({ model: 'scripted', messages: [user(cue)] })
    .catch((reason: unknown) => reason as APIError)
  expect(error).toMatchObject({ status: 502, code: 'upstream_error', type: 'server_error' })
  expect((error as APIError).message).toMatch(/turn turn_/)
})

it(keeps('openai.reset', 'text that no longer holds ends the stream with an error that names the turn'), async () => {
  const cue = stage.model.script(
    { say: manyWords('first', 40), pieces_per_second: 50, break_after_pieces: 10 },
    { say: 'Second.' },
  )
  const text = await raw({ messages: [user(cue)] })
  const frames = text.split('\n\n')
  expect(frames.slice(-2)).toEqual(['data: [DONE]', ''])
  const { error } = JSON.parse(frames.at(-3)!.replace('data: ', ''))
  expect(error).toMatchObject({ type: 'server_error', code: 'content_reset', param: null })
  expect(error.message).toContain(error.turn_id)
  await expect.poll(async () => (await turnOf(error.turn_id)).status).toBe('completed')
  expect((await turnOf(error.turn_id)).message.agent_response.content).toBe('Second.')
  const raised = stage.model.script(
    { say: manyWords('first', 40), pieces_per_second: 50, break_after_pieces: 10 },
    { say: 'Second.' },
  )
  const stream = await client.chat.completions.create({ model: 'scripted', messages: [user(raised)], stream: true })
  const failed = await Array.fromAsync(stream).catch((reason: unknown) => reason as APIError)
  expect(failed).toMatchObject({ code: 'content_reset' })
  const { turn_id } = (failed as APIError).error as { turn_id: string }
  await expect.poll(async () => (await turnOf(turn_id)).status).toBe('completed')
})

it(keeps('openai.killed', 'kill -9 of the worker before the first word: the stream goes on'), async () => {
  const held = new HeldReply(0)
  const cue = stage.model.script({ say: 'Never shown.', held }, { say: 'After all.' })
  const reading = raw({ messages: [user(cue)] })
  await expect.poll(() => stage.model.calls(cue)).toBe(1)
  await worker.kill()
  worker = await stage.start('worker')
  const text = await reading
  expect(text).not.toContain('error')
  expect(text).toContain('"content":"After al')
  expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
})

it(keeps('openai.killed', 'kill -9 of the API: the turn finishes'), async () => {
  const held = new HeldReply()
  const say = manyWords('word', 30)
  const cue = stage.model.script({ say, held })
  const stream = await client.chat.completions.create({ model: 'scripted', messages: [user(cue)], stream: true })
  const reader = stream[Symbol.asyncIterator]()
  const { value } = await reader.next()
  await api.kill()
  await expect(Array.fromAsync({ [Symbol.asyncIterator]: () => reader })).rejects.toThrow(Error)
  held.release()
  api = await stage.start('api', { port: Number(new URL(api.url).port) })
  await expect.poll(async () => (await turnOf(value!.id)).status).toBe('completed')
  expect((await turnOf(value!.id)).message.agent_response.content).toBe(say)
})

it(keeps('openai.parked', 'an approval ends the reply with an error that names the turn, which goes on'), async () => {
  const server = { name: 'faulty', command: NODE, args: [FAULTY, 'none', stage.countFile] }
  const added = await stage.call(api.url, '/api/v1/agents/scripted/mcp_servers', { body: server })
  expect(added.status).toBe(201)
  const call = (label: string) => ({ call: [{ name: 'faulty__count', arguments: { label } }] })
  for (const stream of [true, false]) {
    const cue = stage.model.script(call(`parked ${stream}`), { say: 'Counted.' })
    const error = await client.chat.completions
      .create({ model: 'scripted', messages: [user(cue)], stream }, { headers: { 'Idempotency-Key': cue } })
      .then((answer) => Array.fromAsync(answer as AsyncIterable<unknown>))
      .catch((reason: unknown) => reason as APIError)
    expect(error).toMatchObject({ code: 'approval_required', type: 'invalid_request_error' })
    const { turn_id } = (error as APIError).error as { turn_id: string }
    const turn = await turnOf(turn_id)
    expect(turn.status).toBe('awaiting_approval')
    await stage.call(api.url, `/api/v1/turns/${turn_id}/approvals/${turn.approvals[0].id}`, {
      body: { decision: 'approve' },
    })
    await expect.poll(async () => (await turnOf(turn_id)).status).toBe('completed')
    const again = client.chat.completions.stream(
      { model: 'scripted', messages: [user(cue)] },
      { headers: { 'Idempotency-Key': cue } },
    )
    expect((await again.finalChatCompletion()).choices[0]!.message.content).toBe('Counted.')
  }
})
