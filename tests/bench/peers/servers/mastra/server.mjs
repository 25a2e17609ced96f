// Mastra by its Hono server adapter, as its guide "Hono" shows; message history in the LibSQL file its guide names.
import { serve } from '@hono/node-server'
import { Mastra } from '@mastra/core/mastra'
import { Agent } from '@mastra/core/agent'
import { MastraServer } from '@mastra/hono'
import { LibSQLStore } from '@mastra/libsql'
import { Memory } from '@mastra/memory'
import { Hono } from 'hono'

const agent = new Agent({
  id: 'bench',
  name: 'bench',
  instructions: 'You are a test agent.',
  model: { id: 'scripted/scripted', url: process.env.MODEL_URL, apiKey: 'none' },
  memory: new Memory({ options: { lastMessages: 10 } }),
})
const mastra = new Mastra({
  agents: { bench: agent },
  storage: new LibSQLStore({ id: 'mastra-storage', url: 'file:./mastra.db' }),
})
const app = new Hono()
await new MastraServer({ app, mastra }).init()
serve({ fetch: app.fetch, port: Number(process.env.PORT), hostname: '127.0.0.1' })
