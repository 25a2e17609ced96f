// Uses the inspector of a process to collect garbage, and to measure how long its event loop is blocked.
import { WebSocket } from 'ws'

export interface Inspector {
  /** Bytes of heap and external memory after a collection, and of resident memory. */
  heapAfterCollection(): Promise<{ heap: number; rss: number }>
  /** How many objects of a global class live after a collection. */
  count(className: string): Promise<number>
  /** Starts to watch the event loop, or restarts. */
  watchLoop(): Promise<void>
  /** The longest event loop delay since then, and the longest task of its thread, in milliseconds. */
  longestBlock(): Promise<{ wall: number; cpu: number }>
  close(): void
}

interface Remote {
  value?: string
  objectId?: string
}

/** How often the watched event loop is to come round, in milliseconds. */
const ROUND_MS = 2

/** On a machine that others use too, only the thread's own time tells what the process itself has caused. */
const WATCH = `(() => {
  clearInterval(globalThis.muxiLoop?.timer)
  const loop = (globalThis.muxiLoop = { wall: 0, cpu: 0, timer: undefined })
  const used = () => { const { user, system } = process.threadCpuUsage(); return (user + system) / 1000 }
  let last = performance.now(), before = used()
  loop.timer = setInterval(() => {
    const now = performance.now(), after = used()
    loop.wall = Math.max(loop.wall, now - last - ${ROUND_MS})
    loop.cpu = Math.max(loop.cpu, after - before)
    last = now
    before = after
  }, ${ROUND_MS})
})()`

export async function openInspector(address: string): Promise<Inspector> {
  const [target] = (await (await fetch(`${address}/json/list`)).json()) as { webSocketDebuggerUrl: string }[]
  const socket = new WebSocket(target!.webSocketDebuggerUrl)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  let sent = 0
  const ask = (method: string, params: object = {}) =>
    new Promise<{ result?: Remote; objects?: Remote }>((resolve) => {
      const id = (sent += 1)
      const listen = (data: Buffer) => {
        const answer = JSON.parse(data.toString()) as { id: number; result: { result?: Remote; objects?: Remote } }
        if (answer.id !== id) return
        socket.off('message', listen)
        resolve(answer.result)
      }
      socket.on('message', listen)
      socket.send(JSON.stringify({ id, method, params }))
    })
  const read = async <T>(expression: string): Promise<T> => {
    const { result } = await ask('Runtime.evaluate', { expression: `JSON.stringify(${expression})` })
    return JSON.parse(result?.value ?? '{}') as T
  }
  return {
    async heapAfterCollection() {
      await ask('HeapProfiler.collectGarbage')
      await ask('HeapProfiler.collectGarbage')
      const usage = await read<{ heapUsed: number; external: number; rss: number }>('process.memoryUsage()')
      return { heap: usage.heapUsed + usage.external, rss: usage.rss }
    },
    async count(className) {
      await ask('HeapProfiler.collectGarbage')
      const { result } = await ask('Runtime.evaluate', { expression: `${className}.prototype` })
      const { objects } = await ask('Runtime.queryObjects', { prototypeObjectId: result?.objectId })
      const functionDeclaration = 'function () { return String(this.length) }'
      const counted = await ask('Runtime.callFunctionOn', { objectId: objects?.objectId, functionDeclaration })
      // Else the answer keeps them.
      await ask('Runtime.releaseObject', { objectId: objects?.objectId })
      return Number(counted.result?.value)
    },
    async watchLoop() {
      await ask('Runtime.evaluate', { expression: WATCH })
    },
    longestBlock: () => read('{ wall: globalThis.muxiLoop.wall, cpu: globalThis.muxiLoop.cpu }'),
    close: () => socket.close(),
  }
}
