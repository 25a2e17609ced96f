// Turns of the client: several readers, leaving, cancelling, and text that is withdrawn, against a real HTTP server.
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { askForReply } from '../../client/turns/chat.ts'
import { ConnectionLostError, UpstreamError } from '../../client/errors.ts'
import type { Http } from '../../client/http.ts'
import { FollowedJob } from '../../client/jobs/job.ts'
import { Turn, type TurnEvent } from '../../client/turns/turn.ts'
import {
  breaks,
  ends,
  frame,
  hangs,
  refuse,
  replies,
  type ScriptedStream,
  scriptedStream,
  turnFrames,
} from '../support/scripted-stream.ts'

const FRAMES = turnFrames('One ', 'two.')
const start = ({ http }: ScriptedStream, options = {}) => Turn.start(http, '/chat/stream', { content: 'Hi' }, options)
const idsOf = async (events: AsyncIterable<TurnEvent>) => (await Array.fromAsync(events)).map(({ id }) => id)

it('events, states, text and end are those of one stream, read by many at once and later', async () => {
  const server = await scriptedStream(ends(...FRAMES))
  const turn = start(server)
  const states = Array.fromAsync(turn.messages())
  const [ids, same, text, done] = await Promise.all([idsOf(turn), idsOf(turn), turn.text(), turn.done()])
  expect([ids, same]).toEqual([
    [1, 2, 3, 4, 5],
    [1, 2, 3, 4, 5],
  ])
  expect([text, done.status, done]).toEqual(['One two.', 'completed', turn.message])
  expect((await states).map((state) => state.text)).toEqual(['', '', '', 'One ', 'One two.', 'One two.'])
  expect(await idsOf(turn)).toEqual([1, 2, 3, 4, 5])
  expect(await Array.fromAsync(turn.messages())).toEqual([done])
  expect(server.requests).toHaveLength(1)
})

it('an event as a string is the text that it adds', async () => {
  const turn = start(await scriptedStream(ends(...FRAMES)))
  let printed = ''
  for await (const event of turn) printed += String(event)
  expect(printed).toBe('One two.')
})

it('text that a reset withdraws and that is repeated is not added twice; other text begins a new line', async () => {
  const say = (id: number, content: string) => frame(id, 'content', { content, step: 1 })
  const reset = (id: number, content: string) => frame(id, 'content_reset', { step: 1, reason: 'interrupted', content })
  const [accepted = ''] = FRAMES
  const end = (id: number) => frame(id, 'message_end', { id: 'msg_1', usage: { input_tokens: 1, output_tokens: 1 } })
  const printed = async (...frames: string[]) => {
    const turn = start(await scriptedStream(ends(accepted, ...frames)))
    const added = (await Array.fromAsync(turn)).map(String).join('')
    return [added, await turn.text()]
  }
  const [again, text] = await printed(say(2, 'One tw'), reset(3, ''), say(4, 'One '), say(5, 'two.'), end(6))
  expect([again, text]).toEqual(['One two.', 'One two.'])
  expect(await printed(say(2, 'One'), reset(3, ''), say(4, 'Two.'), end(5))).toEqual(['One\nTwo.', 'Two.'])
  expect(await printed(say(2, 'One'), reset(3, 'One two'), say(4, '.'), end(5))).toEqual(['One two.', 'One two.'])
})

it('leaving closes the connection at once and leaves the turn running; reading again goes on after the last event', async () => {
  const server = await scriptedStream(hangs(...FRAMES.slice(0, 3)), ends(...FRAMES.slice(3)))
  const turn = start(server)
  for await (const { id } of turn) if (id === 3) break
  await expect.poll(server.open, { interval: 5, timeout: 20_000 }).toBe(0)
  expect(await turn.text()).toBe('One two.')
  expect(server.requests.map(({ method, path, lastEventId }) => [method, path, lastEventId])).toEqual([
    ['POST', '/chat/stream', undefined],
    ['GET', '/turns/turn_1/stream', '3'],
  ])
})

it('a wait for the next event is left at once', async () => {
  const server = await scriptedStream(hangs(FRAMES[0]!))
  const turn = start(server)
  const events = turn[Symbol.asyncIterator]()
  expect((await events.next()).value).toMatchObject({ type: 'accepted' })
  const next = events.next()
  await events.return!()
  expect(await next).toEqual({ done: true, value: undefined })
  await expect.poll(server.open, { interval: 5, timeout: 20_000 }).toBe(0)
})

it('one reader that leaves does not disturb another', async () => {
  const server = await scriptedStream(ends(...FRAMES))
  const turn = start(server)
  const ids = idsOf(turn)
  for await (const _ of turn) break
  expect(await ids).toEqual([1, 2, 3, 4, 5])
  expect(server.requests).toHaveLength(1)
})

it('an abort ends all reading with its reason, closes the connection, and the turn can still be cancelled', async () => {
  const record = { turn_id: 'turn_1', status: 'running', message: null }
  const server = await scriptedStream(
    hangs(...FRAMES.slice(0, 3)),
    replies(record),
    ends(...FRAMES.slice(0, 3), frame(4, 'cancelled', { id: 'msg_1' })),
  )
  const stop = new AbortController()
  const turn = start(server, { signal: stop.signal })
  for await (const { id } of turn) if (id === 3) break
  const text = turn.text()
  stop.abort(new Error('enough'))
  await expect(text).rejects.toThrow('enough')
  await expect(idsOf(turn)).rejects.toThrow('enough')
  await expect.poll(server.open, { interval: 5, timeout: 20_000 }).toBe(0)
  expect(await turn.cancel()).toMatchObject({ status: 'cancelled', text: 'One ' })
  expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toContain('POST /turns/turn_1/cancel')
})

it('a turn that is aborted before it is accepted can still be cancelled, under its key', async () => {
  const server = await scriptedStream(
    () => undefined,
    hangs(FRAMES[0]!),
    refuse(202, {}),
    ends(...FRAMES.slice(0, 1), frame(2, 'cancelled', { id: 'msg_1' })),
  )
  const stop = new AbortController()
  const turn = start(server, { signal: stop.signal })
  await expect.poll(() => server.requests.length).toBe(1)
  stop.abort(new Error('enough'))
  await expect(turn.done()).rejects.toThrow('enough')
  expect(await turn.cancel()).toMatchObject({ turn_id: 'turn_1', status: 'cancelled' })
  const [first, second, ...others] = server.requests
  expect([second!.path, second!.key]).toEqual([first!.path, first!.key])
  expect(others.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'POST /turns/turn_1/cancel',
    'GET /turns/turn_1/stream',
  ])
  expect(turn.id).toBe('turn_1')
})

it('an attachment that fails after an abort in the same tick is no unhandled rejection', async () => {
  const unhandled: unknown[] = []
  const listen = (reason: unknown) => void unhandled.push(reason)
  process.on('unhandledRejection', listen)
  onTestFinished(() => void process.off('unhandledRejection', listen))
  const { http } = await scriptedStream()
  const stop = new AbortController()
  const body = new Promise<never>((_, reject) =>
    stop.signal.addEventListener('abort', () => reject(new Error('enough'))),
  )
  const turn = Turn.start(http, '/chat/stream', body, { signal: stop.signal })
  stop.abort(new Error('enough'))
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(unhandled).toEqual([])
  await expect(turn.text()).rejects.toThrow('enough')
})

it('an attachment that fails is told at once, and nothing is sent', async () => {
  const server = await scriptedStream()
  const lost = new ConnectionLostError('The upload broke off')
  const turn = Turn.start(server.http, '/chat/stream', Promise.reject(lost))
  const late = new Promise((resolve) => setTimeout(resolve, 1_000, 'late'))
  expect(await Promise.race([turn.text().catch((error: unknown) => error), late])).toBe(lost)
  expect(server.requests).toEqual([])
})

it('the headers of a call go with every request of its turn', async () => {
  const record = {
    turn_id: 'turn_1',
    status: 'completed',
    approvals: [],
    message: { id: 'msg_1', agent_response: { content: 'One two.' }, usage: { input_tokens: 1, output_tokens: 2 } },
  }
  const headers = { authorization: 'Bearer one' }
  const server = await scriptedStream(
    breaks(...FRAMES.slice(0, 3)),
    refuse(204, {}),
    replies(record),
    replies(record),
    refuse(202, {}, { turn_id: 'turn_1' }),
    ends(...FRAMES),
    replies(record),
    replies(record),
  )
  const turn = start(server, { headers })
  expect(await turn.text()).toBe('One two.')
  await turn.cancel()
  expect((await askForReply(server.http, 'Hi', { headers })).text).toBe('One two.')
  expect(server.requests.map(({ method, path, authorization }) => [method, path, authorization])).toEqual(
    [
      ['POST', '/chat/stream'],
      ['GET', '/turns/turn_1/stream'],
      ['GET', '/turns/turn_1'],
      ['POST', '/turns/turn_1/cancel'],
      ['POST', '/chat'],
      ['GET', '/turns/turn_1/stream'],
      ['GET', '/turns/turn_1'],
      ['GET', '/turns/turn_1'],
    ].map((each) => [...each, 'Bearer one']),
  )
})

it('an abort ends the reading of the record', async () => {
  for (const begin of [
    (http: Http, signal: AbortSignal) => Turn.resume(http, 'turn_1', { signal }).done(),
    (http: Http, signal: AbortSignal) => new FollowedJob(http, 'job_1', { signal }).result(),
  ]) {
    const server = await scriptedStream(refuse(204, {}), () => undefined)
    const stop = new AbortController()
    const reading = begin(server.http, stop.signal)
    reading.catch(() => undefined)
    await expect.poll(() => server.requests.length).toBe(2)
    stop.abort(new Error('enough'))
    const late = new Promise((resolve) => setTimeout(resolve, 1_000, 'late'))
    expect(await Promise.race([reading.catch((error: unknown) => error), late])).toEqual(new Error('enough'))
  }
})

it('cancelling a turn that has ended gives its end', async () => {
  const conflict = refuse(409, {}, { error: { code: 'conflict', message: 'It has ended.' } })
  const server = await scriptedStream(ends(...FRAMES), conflict)
  const turn = start(server)
  await turn.done()
  expect(await turn.cancel()).toMatchObject({ status: 'completed', text: 'One two.' })
})

it('a message that is refused fails every reader, and none is asked for twice', async () => {
  const error = { code: 'not_found', message: "Cannot find agent 'tea'" }
  const server = await scriptedStream(refuse(404, {}, { error }))
  const turn = start(server)
  await expect(turn.text()).rejects.toMatchObject({ code: 'not_found', message: error.message })
  await expect(idsOf(turn)).rejects.toMatchObject({ code: 'not_found' })
  await expect(turn.cancel()).rejects.toMatchObject({ code: 'not_found' })
  expect(server.requests).toHaveLength(1)
})

it('a turn that fails throws its error after the event; its states and end have it as data', async () => {
  const error = { code: 'upstream_error', message: 'The model failed.' }
  const server = await scriptedStream(ends(...FRAMES.slice(0, 3), frame(4, 'error', error)))
  const turn = start(server)
  const types: string[] = []
  const reading = (async () => {
    for await (const { type } of turn) types.push(type)
  })()
  await expect(reading).rejects.toBeInstanceOf(UpstreamError)
  expect(types.at(-1)).toBe('error')
  await expect(turn.text()).rejects.toBeInstanceOf(UpstreamError)
  expect(await turn.done()).toMatchObject({ status: 'failed', text: 'One ', error })
})

it('a turn that is over without more events ends as its record says', async () => {
  const record = {
    turn_id: 'turn_1',
    status: 'completed',
    message: { id: 'msg_1', agent_response: { content: 'One two.' }, usage: { input_tokens: 1, output_tokens: 2 } },
  }
  const server = await scriptedStream(breaks(...FRAMES.slice(0, 3)), refuse(204, {}), replies(record))
  const turn = start(server)
  expect((await Array.fromAsync(turn)).map(({ id, type }) => [id, type]).slice(3)).toEqual([
    [4, 'content_reset'],
    [5, 'message_end'],
  ])
  expect(turn.message).toMatchObject({ status: 'completed', text: 'One two.' })
})

it('a resumed turn gives the events after the known one, and the whole message', async () => {
  const server = await scriptedStream(ends(...FRAMES))
  const turn = Turn.resume(server.http, 'turn_1', { after: 3 })
  expect(await idsOf(turn)).toEqual([4, 5])
  expect(await turn.text()).toBe('One two.')
})

it('a slow reader is kept at most 8 MB, and reads the rest over a connection of its own', async () => {
  const pieces = Array.from({ length: 64 }, (_, index) => `${index} `.padEnd(2 ** 18, '.'))
  const frames = turnFrames(...pieces)
  const server = await scriptedStream(ends(...frames), (response) => {
    const from = Number(server.requests[1]!.lastEventId)
    ends(...frames.slice(from))(response)
  })
  const turn = start(server)
  const slow = turn[Symbol.asyncIterator]()
  const seen = [(await slow.next()).value as TurnEvent]
  const text = await turn.text()
  expect(text).toBe(pieces.join(''))
  for (;;) {
    const { done, value } = await slow.next()
    if (done) break
    seen.push(value)
  }
  expect(seen.map(({ id }) => id)).toEqual(frames.map((_, index) => index + 1))
  expect(seen.map(String).join('')).toBe(text)
  expect(server.requests.map(({ lastEventId }) => lastEventId)).toEqual([undefined, '1'])
})

it('a reader on a connection of its own gets no text twice, and the message grows with it when it is the last', async () => {
  const reset = (id: number, content: string) => frame(id, 'content_reset', { step: 1, reason: 'interrupted', content })
  const say = (id: number, content: string) => frame(id, 'content', { content, step: 1 })
  const pieces = Array.from({ length: 64 }, (_, index) => say(index + 4, `${index} `.padEnd(2 ** 18, '.')))
  const frames = [FRAMES[0]!, say(2, 'One tw'), reset(3, ''), ...pieces, frame(68, 'cancelled', { id: 'msg_1' })]
  const goesOn = (response: ServerResponse) =>
    ends(...frames.slice(Number(server.requests.at(-1)!.lastEventId)))(response)
  const server = await scriptedStream(ends(...frames.slice(0, 58)), goesOn, goesOn)
  const turn = start(server)
  const slow = turn[Symbol.asyncIterator]()
  const seen = [(await slow.next()).value as TurnEvent]
  for await (const { id } of turn) if (id === 50) break
  for await (const event of slow) seen.push(event)
  expect(seen.map(({ id }) => id)).toEqual(frames.map((_, index) => index + 1))
  expect(seen.map(String).join('')).toBe(`One tw\n${turn.message.text}`)
  expect(turn.message.status).toBe('cancelled')
  expect(server.requests.map(({ lastEventId }) => lastEventId)).toEqual([undefined, '1', '58'])
})

it('the latest event is kept, however large: its reader needs no second connection', async () => {
  const content = 'x'.repeat(5 * 2 ** 20)
  const server = await scriptedStream(
    ends(
      frame(1, 'content_reset', { step: 0, reason: 'interrupted', content }),
      frame(2, 'message_end', { id: 'msg_1', usage: { input_tokens: 1, output_tokens: 1 } }),
    ),
  )
  const events = await Array.fromAsync(Turn.resume(server.http, 'turn_1'))
  expect(events.map(({ text }) => text.length)).toEqual([content.length, 0])
  expect(server.requests).toHaveLength(1)
})

it('a reader that stops slows the server down, and goes on after the last event when it is dropped meanwhile', async () => {
  const frames = turnFrames(...Array.from({ length: 256 }, (_, index) => `${index} `.padEnd(2 ** 16, '.')))
  let written = 0
  let drop = (): unknown => undefined
  const server = await scriptedStream(
    (response) => {
      drop = () => response.socket?.resetAndDestroy()
      response.writeHead(200)
      const rest = [...frames]
      const more = () => {
        while (!response.closed && rest.length > 0) {
          written += rest[0]!.length
          if (!response.write(rest.shift())) return
        }
      }
      response.on('drain', more)
      more()
    },
    (response) => ends(...frames.slice(Number(server.requests[1]!.lastEventId)))(response),
  )
  const turn = start(server)
  const ids: number[] = []
  for await (const { id } of turn) {
    ids.push(id)
    if (id !== 10) continue
    let before = -1
    while (before < written) {
      before = written
      await sleep(200)
    }
    expect(written).toBeLessThan(8 * 2 ** 20)
    drop()
  }
  expect(ids).toEqual(frames.map((_, index) => index + 1))
  expect(server.requests.map(({ lastEventId }) => Number(lastEventId ?? 0))).toEqual([0, expect.any(Number)])
})

it('a job has progress, a result, and an error when it fails', async () => {
  const progress = { done: 1, total: 2, unit: 'pages', stage: 'reading' }
  const result = { document_id: 'doc_1', pages: 2, chunks: 3 }
  const frames = [frame(1, 'progress', progress), frame(2, 'completed', { id: 'job_1', result })]
  const server = await scriptedStream(breaks(frames[0]!), ends(frames[1]!))
  const job = new FollowedJob(server.http, 'job_1')
  expect((await Array.fromAsync(job)).map(({ id, type }) => [id, type])).toEqual([
    [1, 'progress'],
    [2, 'completed'],
  ])
  expect(job.progress).toEqual(progress)
  expect(await job.result()).toEqual(result)
  const failed = frame(1, 'failed', { id: 'job_2', code: 'unprocessable', message: 'Damaged.' })
  const second = new FollowedJob((await scriptedStream(ends(failed))).http, 'job_2')
  await expect(second.result()).rejects.toMatchObject({ code: 'unprocessable' })
})
