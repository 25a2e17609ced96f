// WebSocket frames: pings through the API against a bare `ws` server that sends them back, in turn.
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { authorization, percentile, report } from './measure.ts'
import { startScript, type Bench } from './processes.ts'
import { cpuSeconds } from './peers/usage.ts'

const SOCKETS = 16
/** Pings that a socket has not been answered yet. */
const AT_ONCE = 8
const FRAMES = 20_000
const ROUNDS = 7

interface Echoing {
  pid: number
  sockets: WebSocket[]
  persecond: number[]
  /** Processor time of the server for a frame, in microseconds. */
  cost: number[]
}

export async function sockets(bench: Bench): Promise<void> {
  const bare = await startScript(fileURLToPath(new URL('ws-echo.ts', import.meta.url)), [], process.env)
  const open = async (url: string, pid: number): Promise<Echoing> => {
    const address = `${url.replace('http', 'ws')}/api/v1/ws`
    const opened = Array.from({ length: SOCKETS }, () => openSocket(address, authorization(bench.muxi.key)))
    return { pid, sockets: await Promise.all(opened), persecond: [], cost: [] }
  }
  const ours = await open(bench.muxi.url, bench.muxi.pid)
  const floor = await open(bare.ready.url, bare.pid)
  for (let round = 0; round <= ROUNDS; round += 1)
    for (const each of [floor, ours]) {
      const [began, used] = [performance.now(), cpuSeconds([each.pid])]
      await Promise.all(each.sockets.map((socket, index) => pingAll(socket, index, FRAMES / SOCKETS)))
      // The first round warms up.
      if (round === 0) continue
      each.persecond.push(FRAMES / ((performance.now() - began) / 1_000))
      each.cost.push(((cpuSeconds([each.pid]) - used) * 1_000_000) / FRAMES)
    }
  for (const { sockets } of [floor, ours]) for (const socket of sockets) socket.terminate()
  await bare.stop()
  const [our, its] = [percentile(ours.persecond, 50), percentile(floor.persecond, 50)]
  report('WebSocket frames a second', `${our.toFixed(0)} against ${its.toFixed(0)} of bare ws`, our / its, '≥ 0.6')
  const [cost, least] = [percentile(ours.cost, 50), percentile(floor.cost, 50)]
  report('processor time of the server for a frame', `${cost.toFixed(1)} against ${least.toFixed(1)} µs`)
}

function openSocket(address: string, headers: Record<string, string>): Promise<WebSocket> {
  const socket = new WebSocket(address, { headers })
  return new Promise((resolve, reject) => socket.once('open', () => resolve(socket)).once('error', reject))
}

/** Sends pings, so many at once, and resolves when all have been answered. */
function pingAll(socket: WebSocket, name: number, count: number): Promise<void> {
  let [sent, answered] = [0, 0]
  const ping = () => socket.send(`{"type":"ping","id":"p${name}-${(sent += 1)}","data":{}}`)
  return new Promise((resolve, reject) => {
    const take = () => {
      answered += 1
      if (sent < count) ping()
      if (answered < count) return
      socket.off('message', take)
      resolve()
    }
    socket.on('message', take).once('close', () => reject(new Error('a socket was closed')))
    while (sent < Math.min(AT_ONCE, count)) ping()
  })
}
