// The product under its supervisor, with an MCP server: all processes are killed at once.
import { expect, it, onTestFinished } from 'vitest'
import { isAlive } from '../support/is-alive.ts'
import { freePort } from '../support/free-port.ts'
import { FAULTY, NODE } from '../support/mcp-servers.ts'
import { openStage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

it(
  keeps('mcp.all-killed', 'the servers are connected again within half a minute, by programs that are new'),
  async () => {
    const caller = {
      description: 'Calls tools.',
      system_message: 'You call tools.',
      model: { provider: 'openai', model: 'gpt-4.1-mini' },
      mcp_servers: [{ name: 'faulty', command: NODE, args: [FAULTY, 'stubborn'] }],
    }
    const stage = await openStage({ withoutTemporal: true, agents: { caller } })
    onTestFinished(() => stage.close())
    const port = await freePort()
    const product = await stage.startProduct({ port })
    const look = async () => (await stage.call(product.url, '/api/v1/agents/caller/mcp_servers/faulty')).body
    await expect.poll(async () => (await look()).connected).toBe(true)
    const { pid } = (await look()).stats
    await product.killAll()
    await expect.poll(() => isAlive(pid)).toBe(false)
    const again = await stage.startProduct({ port })
    // For a few seconds the rows still name the dead worker.
    const isNew = async () => {
      const { connected, stats } = await look()
      return connected && stats.pid !== pid
    }
    await expect.poll(isNew, { timeout: 30_000 }).toBe(true)
    const { pid: newPid } = (await look()).stats
    expect(isAlive(newPid)).toBe(true)
    await again.stop()
    await expect.poll(() => isAlive(newPid)).toBe(false)
  },
)
