// Looks into a process over its inspector: collects garbage there and says what is left.
import { WebSocket } from 'ws'

/** Bytes of heap and external memory after a collection, and of resident memory. */
export async function heapAfterCollection(inspector: string): Promise<{ heap: number; rss: number }> {
  const [target] = (await (await fetch(`${inspector}/json/list`)).json()) as { webSocketDebuggerUrl: string }[]
  const socket = new WebSocket(target!.webSocketDebuggerUrl)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  let sent = 0
  const ask = (method: string, params: object = {}) =>
    new Promise<{ result?: { value?: string } }>((resolve) => {
      const id = (sent += 1)
      const listen = (data: Buffer) => {
        const answer = JSON.parse(data.toString()) as { id: number; result: { result?: { value?: string } } }
        if (answer.id !== id) return
        socket.off('message', listen)
        resolve(answer.result)
      }
      socket.on('message', listen)
      socket.send(JSON.stringify({ id, method, params }))
    })
  await ask('HeapProfiler.collectGarbage')
  await ask('HeapProfiler.collectGarbage')
  const { result } = await ask('Runtime.evaluate', { expression: 'JSON.stringify(process.memoryUsage())' })
  socket.close()
  const usage = JSON.parse(result?.value ?? '{}') as { heapUsed: number; external: number; rss: number }
  return { heap: usage.heapUsed + usage.external, rss: usage.rss }
}
