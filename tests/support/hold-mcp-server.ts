// A script: connects to a faulty MCP server and stays until it is killed. Prints the pids of the server and of the server's own child.
import { connect } from '../../mcp/connect.ts'
import { readAnswer, textOfAnswer } from '../../mcp/result.ts'
import { FAULTY, NODE } from './mcp-servers.ts'

const { signal } = new AbortController()
const connection = await connect({
  target: { command: NODE, args: [FAULTY, process.argv[2] ?? 'none'], env: {}, secrets: [] },
  fetch,
  version: '1',
  connect_ms: 20_000,
  max_message_bytes: 2 ** 20,
  signal,
})
const options = { owner: 'test', signal, silence_ms: 10_000, total_ms: 10_000, onProgress: () => {} }
const text = textOfAnswer(readAnswer(await connection.callTool('children', {}, options)))
process.stdout.write(`${connection.pid} ${text}\n`)
