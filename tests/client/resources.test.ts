// The remote client against a server.
import { afterEach, beforeAll } from 'vitest'
import { muxi } from '../../client/index.ts'
import { type ClientStage, clientSuite } from '../support/client-suite.ts'
import { FAULTY, NODE } from '../support/mcp-servers.ts'
import { openStage, type Stage } from '../support/stage.ts'

let stage: Stage
let client: ClientStage
beforeAll(async () => {
  stage = await openStage({ env: { MUXI_MCP_COMMANDS: NODE } })
  const { url } = await stage.start('all')
  client = {
    app: muxi({ serverUrl: url, apiKey: stage.key }),
    model: stage.model,
    folder: stage.folder,
    approved: { name: 'faulty', command: NODE, args: [FAULTY, 'none', stage.countFile] },
  }
  return () => stage.close()
})
afterEach(() => stage.model.assertUsed())

clientSuite(() => client)
