// The embedded client: everything that the remote one must do, in this process.
import { afterEach, beforeAll } from 'vitest'
import { muxi } from '../../embedded/index.ts'
import { type ClientStage, clientSuite } from '../support/client-suite.ts'
import { FAULTY, NODE } from '../support/mcp-servers.ts'
import { openStage, type Stage } from '../support/stage.ts'

let stage: Stage
let client: ClientStage
beforeAll(async () => {
  stage = await openStage({ env: { MUXI_MCP_COMMANDS: NODE } })
  const app = muxi({ env: stage.env() })
  client = {
    app,
    model: stage.model,
    folder: stage.folder,
    approved: { name: 'faulty', command: NODE, args: [FAULTY, 'none', stage.countFile] },
  }
  return async () => {
    await app.close()
    await stage.close()
  }
})
afterEach(() => stage.model.assertUsed())

clientSuite(() => client)
