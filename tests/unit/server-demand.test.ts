// When a server that is started on demand is needed, and how many are started at once.
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { ServerDemand } from '../../activities/mcp/server-demand.ts'
import { Slots } from '../../contracts/slots.ts'
import { idleStopOf, timeoutsOf } from '../../contracts/mcp-timeouts.ts'

const { signal } = new AbortController()

/** Whether a promise is settled once everything that is due has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  void promise.then(
    () => (settled = true),
    () => (settled = true),
  )
  await vi.advanceTimersByTimeAsync(0)
  return settled
}

function useFakeClock(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
}

describe('idleStopOf()', () => {
  it('is ten minutes by default, and never for a server that is reached by URL', () => {
    const program = { name: 's', command: 'node' }
    expect(idleStopOf(program)).toBe(600_000)
    expect(idleStopOf({ ...program, idle_stop: 5 })).toBe(5_000)
    expect(idleStopOf({ ...program, idle_stop: 'never' })).toBe(Infinity)
    expect(idleStopOf({ name: 's', url: 'http://x' })).toBe(Infinity)
  })

  it('a call waits 10 s longer than one start may take', () =>
    expect(timeoutsOf({ timeouts: { connect: 30 } })).toMatchObject({ connect_ms: 30_000, wait_ms: 40_000 }))
})

describe('ServerDemand', () => {
  it('wants nothing until it is asked for, and is wanted while a call goes on and the idle time after it', async () => {
    useFakeClock()
    const demand = new ServerDemand(1_000)
    const wanted = demand.untilWanted(signal)
    expect([demand.isWanted, await isSettled(wanted)]).toEqual([false, false])
    const end = demand.lease()
    expect([demand.isWanted, await isSettled(wanted)]).toEqual([true, true])
    const idle = demand.untilIdle(signal)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await isSettled(idle)).toBe(false)
    end()
    end()
    await vi.advanceTimersByTimeAsync(998)
    expect(await isSettled(idle)).toBe(false)
    await vi.advanceTimersByTimeAsync(2)
    expect([demand.isWanted, await isSettled(idle)]).toEqual([false, true])
  })

  it('a second call keeps it wanted after the first has ended', async () => {
    useFakeClock()
    const demand = new ServerDemand(1_000)
    const idle = demand.untilIdle(signal)
    const first = demand.lease()
    const second = demand.lease()
    first()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(demand.isWanted).toBe(true)
    second()
    await vi.advanceTimersByTimeAsync(1_000)
    expect([demand.isWanted, await isSettled(idle)]).toEqual([false, true])
  })

  it('a request keeps it no longer than the idle time, and does not shorten what a call has asked for', () => {
    useFakeClock()
    const short = new ServerDemand(1_000)
    short.request(30_000)
    vi.advanceTimersByTime(1_000)
    expect(short.isWanted).toBe(false)
    const long = new ServerDemand(600_000)
    long.lease()()
    long.request(30_000)
    vi.advanceTimersByTime(599_999)
    expect(long.isWanted).toBe(true)
  })

  it('is always wanted when it never stops, but requested only by calls', () => {
    const demand = new ServerDemand(Infinity)
    expect([demand.isWanted, demand.isRequested]).toEqual([true, false])
    const end = demand.lease()
    expect(demand.isRequested).toBe(true)
    end()
    expect(demand.isWanted).toBe(true)
  })

  it('waiting ends with the reason of the signal', async () => {
    const over = new AbortController()
    const demand = new ServerDemand(1_000)
    const wanted = demand.untilWanted(over.signal)
    over.abort(new Error('released'))
    await expect(wanted).rejects.toThrow('released')
    demand.lease()
    await expect(demand.untilIdle(AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
  })
})

describe('Slots', () => {
  const never = new Promise<void>(() => {})

  it('gives so many slots at once, and the next one in the order of asking', async () => {
    const slots = new Slots(2)
    const order: string[] = []
    const take = async (name: string) => {
      const give = await slots.take(signal, never)
      order.push(name)
      return give
    }
    const [giveFirst] = [await take('a'), await take('b')]
    const third = take('c')
    const fourth = take('d')
    await new Promise(setImmediate)
    expect(order).toEqual(['a', 'b'])
    giveFirst()
    giveFirst()
    const giveThird = await third
    await new Promise(setImmediate)
    expect(order).toEqual(['a', 'b', 'c'])
    giveThird()
    await fourth
    expect(order).toEqual(['a', 'b', 'c', 'd'])
  })

  it('one that is asked for meanwhile needs no slot, and one that is released loses none', async () => {
    const slots = new Slots(1)
    const give = await slots.take(signal, never)
    const over = new AbortController()
    const released = slots.take(over.signal, never)
    over.abort(new Error('released'))
    await expect(released).rejects.toThrow('released')
    const skip = Promise.withResolvers<void>()
    const skipping = slots.take(signal, skip.promise)
    skip.resolve()
    const giveNothing = await skipping
    giveNothing()
    give()
    await slots.take(signal, never)
    const next = slots.take(AbortSignal.timeout(0), never)
    await expect(next).rejects.toThrow('timeout')
  })
})
