// A script: a bare WebSocket server that sends back what it gets, the floor of the bench of sockets.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'

const server = createServer()
new WebSocketServer({ server }).on('connection', (socket) =>
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
)
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(`ready ${JSON.stringify({ url: `http://127.0.0.1:${port}` })}`)
})
process.on('SIGTERM', () => process.exit(0))
