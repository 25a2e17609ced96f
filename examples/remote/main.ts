// A connection to a server elsewhere: a reply, a reply as it is written, and a picture over a socket.
import { muxi } from '@muxi/client'

const { MUXI_URL = 'http://127.0.0.1:5050', MUXI_KEY } = process.env
const app = muxi({ serverUrl: MUXI_URL, apiKey: MUXI_KEY })
await app.addAgent('remote_assistant', 'configs/assistant.yaml')

const response = await app.chat('Hello, remote assistant!', { agentName: 'remote_assistant' })
console.log(`${response}`)

for await (const chunk of app.chat('Tell me a short story', { agentName: 'remote_assistant', stream: true })) {
  process.stdout.write(`${chunk}`)
}
console.log()

const socket = app.openSocket()
const seen = socket.sendMessage('Process this image', { agentName: 'remote_assistant', images: ['images/harbour.jpg'] })
console.log(await seen.text())
await socket.close()
