// A program that talks to muxi over a socket of the client with the WebSocket of its runtime: `<url> <key> <cue> <image>`.
import { muxi } from '../../client/index.ts'

const [serverUrl = '', apiKey = '', cue = '', image = ''] = process.argv.slice(2)
const app = muxi({ serverUrl, apiKey })
const socket = app.openSocket()
const turn = socket.sendMessage(cue, { agentName: 'scripted', images: [image] })
const [text, ...others] = await Promise.all([
  turn.text(),
  ...Array.from({ length: 20 }, () => socket.sendMessage('Hello', { agentName: 'offline' }).done()),
])
await socket.close()
console.log(`done ${JSON.stringify({ text, others: others.map(({ status }) => status) })}`)
