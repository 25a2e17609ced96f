// A server with the client limits in its argument (JSON); prints its port.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ClientLimits, clientTimeouts, limitClients } from '../../api/slow-clients.ts'

const limits = JSON.parse(process.argv[2]!) as ClientLimits
const server = createServer(clientTimeouts(limits), (request, response) => {
  if (request.url === '/stream') return void response.writeHead(200).write('begun')
  request.resume().on('end', () => response.end('whole'))
  return undefined
})
limitClients(server, limits)
server.listen(0, '127.0.0.1', () => console.log(`port ${(server.address() as AddressInfo).port}`))
