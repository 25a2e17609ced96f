// Streams of the client against a real HTTP server that answers byte by byte, breaks off, repeats, skips and hangs.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished, vi } from 'vitest'
import { sleep as wait } from '../../client/backoff.ts'
import { ConnectionLostError, ForbiddenError, UnavailableError } from '../../client/errors.ts'
import { EventGapError } from '../../client/errors.ts'
import { follow, type FollowOptions } from '../../client/streams/follow.ts'
import { isFinalEvent } from '../../client/turns/turn.ts'
import {
  breaks,
  drips,
  ends,
  frame,
  hangs,
  refuse,
  type ScriptedStream,
  scriptedStream,
  turnFrames,
} from '../support/scripted-stream.ts'

/** Without waiting between attempts. */
const AT_ONCE = () => vi.spyOn(Math, 'random').mockReturnValue(0)

async function read({ http }: ScriptedStream, options: Partial<FollowOptions> = {}): Promise<number[]> {
  const ids: number[] = []
  for await (const { id } of follow({ http, path: '/turns/turn_1/stream', isFinal: isFinalEvent, ...options }))
    ids.push(id ?? 0)
  return ids
}
const FRAMES = turnFrames('One ', 'two ', 'three.')
const part = (from: number, to = FRAMES.length) => FRAMES.slice(from, to)
const resumed = ({ requests }: ScriptedStream) => requests.map(({ lastEventId }) => lastEventId)

for (const size of [1, 2, 7, 64])
  it(`reads events that arrive in pieces of ${size} bytes, with pings between them and letters cut in two`, async () => {
    const frames = turnFrames('Grün ', '茶 🍵')
    const server = await scriptedStream(drips(size, ': ping\n\n', frames[0]!, ': ping\n\n', ...frames.slice(1)))
    const texts: unknown[] = []
    const stream = follow({ http: server.http, path: '/turns/turn_1/stream', isFinal: isFinalEvent })
    for await (const { type, data } of stream) if (type === 'content') texts.push((data as { content: string }).content)
    expect(texts).toEqual(['Grün ', '茶 🍵'])
    expect(server.requests).toHaveLength(1)
  })

it('goes on after the last event when the connection breaks, ends cleanly too early, or breaks inside an event', async () => {
  const server = await scriptedStream(
    breaks(...part(0, 2)),
    ends(...part(2, 3)),
    breaks(FRAMES[3]!, FRAMES[4]!.slice(0, -3)),
    ends(...part(4)),
  )
  expect(await read(server)).toEqual([1, 2, 3, 4, 5, 6])
  expect(resumed(server)).toEqual([undefined, '2', '3', '4'])
})

it('notices silence, and connects again', async () => {
  const server = await scriptedStream(hangs(...part(0, 4)), ends(...part(4)))
  expect(await read(server, { timing: { silenceMs: 500 } })).toEqual([1, 2, 3, 4, 5, 6])
  expect(resumed(server)).toEqual([undefined, '4'])
  await expect.poll(server.open).toBe(0)
})

it('notices a server that accepts the connection and answers nothing', async () => {
  const server = await scriptedStream(() => undefined, ends(...FRAMES))
  AT_ONCE()
  expect(await read(server, { timing: { silenceMs: 500 } })).toEqual([1, 2, 3, 4, 5, 6])
})

it('connects at once after progress, and then with growing pauses until there is progress again', async () => {
  const bad = refuse(502, {})
  const server = await scriptedStream(breaks(...part(0, 1)), bad, bad, breaks(...part(1, 2)), ends(...part(2)))
  // The longest pause of each attempt: 0.5 s, 1 s.
  vi.spyOn(Math, 'random').mockReturnValue(0.9)
  expect(await read(server)).toEqual([1, 2, 3, 4, 5, 6])
  const pauses = server.requests.slice(1).map(({ at }, index) => at - server.requests[index]!.at)
  expect(pauses[0]).toBeLessThan(400)
  expect(pauses[1]).toBeGreaterThan(440)
  expect(pauses[2]).toBeGreaterThan(890)
  expect(pauses[3]).toBeLessThan(400)
})

it('waits as long as the server asks', async () => {
  const server = await scriptedStream(refuse(503, { 'retry-after': '1' }), ends(...FRAMES))
  AT_ONCE()
  await read(server)
  expect(server.requests[1]!.at - server.requests[0]!.at).toBeGreaterThan(990)
})

it('does not wait for longer than a minute: the error says where to go on, and when', async () => {
  const error = { code: 'unavailable', message: 'Back in an hour.' }
  const busy = refuse(503, { 'retry-after': '3600' }, { error })
  const server = await scriptedStream(breaks(...part(0, 2)), busy)
  await expect(read(server, { position: () => ({ turnId: 'turn_1' }) })).rejects.toMatchObject({
    code: 'connection_lost',
    message: error.message,
    turnId: 'turn_1',
    lastEventId: 2,
    retryAfterMs: 3_600_000,
    cause: { status: 503 },
  })
  expect(server.requests).toHaveLength(2)
})

it('a failure that no other attempt helps with is told at once, as it is', async () => {
  const failure = new UnavailableError('unavailable', 'It was closed.', { retryAfterMs: Infinity })
  const { http } = await scriptedStream()
  let calls = 0
  const first = () => {
    calls++
    return Promise.reject(failure)
  }
  await expect(follow({ http, path: () => undefined, first, isFinal: isFinalEvent }).next()).rejects.toBe(failure)
  expect(calls).toBe(1)
})

it('timers longer than the runtime has do not fire at once', async () => {
  const stop = new AbortController()
  const sleeping = wait(2 ** 40, stop.signal)
  expect(await Promise.race([sleeping, sleep(50, 'asleep')])).toBe('asleep')
  stop.abort(new Error('enough'))
  await expect(sleeping).rejects.toThrow('enough')
  const server = await scriptedStream((response) => setTimeout(() => ends(...FRAMES)(response), 50))
  expect(await read(server, { timing: { silenceMs: Infinity, attempts: 0 } })).toEqual([1, 2, 3, 4, 5, 6])
})

it('gives up after too many attempts without progress, with the last event', async () => {
  AT_ONCE()
  const server = await scriptedStream(breaks(...part(0, 2)))
  const error = await read(server, { timing: { attempts: 3 }, position: () => ({ turnId: 'turn_1' }) }).catch(
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ConnectionLostError)
  expect(error).toMatchObject({ turnId: 'turn_1', lastEventId: 2, cause: { status: 500 } })
  // One at once, and three after pauses.
  expect(server.requests).toHaveLength(5)
})

it('a refusal is final', async () => {
  const error = { code: 'forbidden', message: 'Not yours.' }
  const server = await scriptedStream(breaks(...part(0, 2)), refuse(403, {}, { error }))
  await expect(read(server)).rejects.toBeInstanceOf(ForbiddenError)
  expect(server.requests).toHaveLength(2)
})

it('nothing more is over', async () => {
  const server = await scriptedStream(breaks(...part(0, 2)), refuse(204, {}))
  expect(await read(server)).toEqual([1, 2])
})

it('gives no event twice', async () => {
  const server = await scriptedStream(breaks(...part(0, 3)), ends(...part(1, 4), FRAMES[3]!, ...part(2)))
  expect(await read(server)).toEqual([1, 2, 3, 4, 5, 6])
})

it('a gap in the numbers is an error of its own', async () => {
  const server = await scriptedStream(ends(...part(0, 2), ...part(4)))
  await expect(read(server)).rejects.toBeInstanceOf(EventGapError)
})

it('a server that lost its log begins again below, with the whole text', async () => {
  const rest = [
    frame(2, 'content_reset', { step: 0, reason: 'resumed beyond the head', content: 'One' }),
    frame(3, 'message_end', { id: 'msg_1', usage: { input_tokens: 1, output_tokens: 1 } }),
  ]
  const server = await scriptedStream(breaks(...part(0, 5)), ends(...rest))
  expect(await read(server)).toEqual([1, 2, 3, 4, 5, 2, 3])
})

it('an event of more than 8 MB fails', async () => {
  const server = await scriptedStream((response) => {
    response.writeHead(200)
    response.write('data: ')
    const more = () => {
      while (!response.closed && response.write('x'.repeat(65_536)));
    }
    response.on('drain', more)
    more()
  })
  await expect(read(server)).rejects.toThrow(/max buffer size/)
  await expect.poll(server.open).toBe(0)
})

it('an abort ends a read and a pause at once, with its reason', async () => {
  for (const script of [[hangs(...part(0, 2))], [refuse(503, { 'retry-after': '60' }, undefined)]]) {
    const server = await scriptedStream(...script)
    const stop = new AbortController()
    const reading = read(server, { signal: stop.signal })
    await expect.poll(() => server.requests.length).toBe(1)
    await sleep(20)
    const began = performance.now()
    stop.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    expect(performance.now() - began).toBeLessThan(5_000)
    await expect.poll(server.open).toBe(0)
  }
})

it('the request that begins a stream is repeated while its answer is lost, and is final when it is refused', async () => {
  AT_ONCE()
  const server = await scriptedStream(breaks(), hangs(), refuse(503, {}), ends(...FRAMES))
  const path = () => undefined
  const first = (signal: AbortSignal) => server.http.send('POST', '/chat/stream', { signal, maxRetries: 0 })
  const stream = follow({
    http: server.http,
    path,
    first,
    isFinal: isFinalEvent,
    timing: { silenceMs: 50 },
  })
  expect((await stream.next()).value).toMatchObject({ id: 1, type: 'accepted' })
  expect(server.requests.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST', 'POST'])
  await stream.return()
  const error = { code: 'upstream_error', message: 'The model failed.' }
  const refusing = await scriptedStream(refuse(502, {}, { error }))
  const refused = follow({
    http: refusing.http,
    path,
    first: (signal) => refusing.http.send('POST', '/chat/stream', { signal, maxRetries: 0 }),
    isFinal: isFinalEvent,
  })
  await expect(refused.next()).rejects.toMatchObject({ code: 'upstream_error' })
})

it('tries again at once when the network or the page returns', async () => {
  const page = new EventTarget()
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page))
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  vi.stubGlobal('document', document)
  onTestFinished(() => void vi.unstubAllGlobals())
  const away = refuse(503, { 'retry-after': '60' })
  const server = await scriptedStream(away, away, away, hangs(...part(0, 3)), ends(...part(3)))
  const reading = read(server)
  const wakes: [EventTarget, string][] = [
    [page, 'online'],
    [page, 'pageshow'],
    [document, 'visibilitychange'],
    [page, 'online'],
  ]
  for (const [index, [target, event]] of wakes.entries()) {
    await expect.poll(() => server.requests.length).toBe(index + 1)
    await sleep(50)
    target.dispatchEvent(new Event(event))
  }
  expect(await reading).toEqual([1, 2, 3, 4, 5, 6])
  expect(server.requests.at(-1)!.lastEventId).toBe('3')
})

it('errors of the server are told as they are', async () => {
  AT_ONCE()
  const server = await scriptedStream(refuse(503, {}))
  const error = await read(server, { timing: { attempts: 0 } }).catch((thrown: unknown) => thrown)
  expect((error as Error).cause).toBeInstanceOf(UnavailableError)
})
