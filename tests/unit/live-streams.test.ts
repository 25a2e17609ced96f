// What many readers of live streams cost others: the event loop goes on between them, and frames share writes.
import { setImmediate as iteration } from 'node:timers/promises'
import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { SocketWriter } from '../../api/socket-writer.ts'
import { LoopShare } from '../../db/loop-share.ts'
import { ReaderWakes } from '../../db/reader-wakes.ts'

describe('ReaderWakes', () => {
  it('wakes readers in order, some in each iteration of the event loop, also when several streams have news at once', async () => {
    const wakes = new ReaderWakes()
    const woken: number[] = []
    const readers = Array.from({ length: 300 }, (_, n) => () => void woken.push(n))
    wakes.wake(readers.slice(0, 10))
    for (let at = 10; at < 300; at += 29) wakes.wake(readers.slice(at, at + 29))
    const first = woken.length
    let iterations = 0
    while (woken.length < 300 && iterations < 100) {
      await iteration()
      iterations += 1
    }
    expect(woken).toEqual(readers.map((_, n) => n))
    expect([first >= 10, first < 60, iterations > 3]).toEqual([true, true, true])
  })

  it('wakes a reader once for all that is new, and none that has left', async () => {
    const wakes = new ReaderWakes()
    const woken = new Map<number, number>()
    const readers = Array.from({ length: 100 }, (_, n) => () => void woken.set(n, (woken.get(n) ?? 0) + 1))
    wakes.wake(readers)
    wakes.wake(readers.slice(90))
    wakes.forget(readers[99]!)
    for (let n = 0; n < 20; n += 1) await iteration()
    expect([woken.size, woken.get(95), woken.get(99)]).toEqual([99, 1, undefined])
  })
})

describe('LoopShare', () => {
  it('is used after some milliseconds of one iteration, and is new in the next one', async () => {
    const share = new LoopShare()
    expect(share.isUsed()).toBe(false)
    const until = performance.now() + 20
    while (performance.now() < until) Math.random()
    expect(share.isUsed()).toBe(true)
    await iteration()
    expect(share.isUsed()).toBe(false)
  })
})

describe('SocketWriter', () => {
  it('writes the frames of one callback together', async () => {
    const writes: string[][] = []
    const connection = new Writable({
      writev: (chunks, done) => {
        writes.push(chunks.map(({ chunk }) => String(chunk)))
        done()
      },
    })
    const socket = {
      readyState: 1,
      OPEN: 1,
      get bufferedAmount() {
        return connection.writableLength
      },
      on: () => {},
      send: (text: string) => connection.write(text),
    }
    const writer = new SocketWriter(socket as unknown as WebSocket, connection, () => {})
    writer.send('pong', 'a', '{}')
    await Promise.resolve()
    writer.send('pong', 'b', '{}')
    expect(writes).toEqual([])
    await iteration()
    writer.send('pong', 'c', '{}')
    await iteration()
    const frame = (id: string) => `{"type":"pong","id":"${id}","data":{}}`
    expect(writes).toEqual([[frame('a'), frame('b')], [frame('c')]])
  })
})
