// A turn as a DBOS workflow of three steps. STREAM=memory: words go straight to the waiting response, as a route handler in
// the same process would do it. STREAM=durable: words go through DBOS.writeStream, so that a reader could come back for them.
import http from 'node:http'
import { randomUUID } from 'node:crypto'
import { DBOS } from '@dbos-inc/dbos-sdk'
import pg from 'pg'
import { streamModel } from '../stream-model.mjs'

const durable = process.env.STREAM === 'durable'
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 })
await pool.query(
  'create table if not exists message (id bigserial primary key, conversation text not null, role text not null, content text not null)',
)
await pool.query('create index if not exists message_conversation on message (conversation, id)')
const waiting = new Map()

const turn = DBOS.registerWorkflow(
  async (conversation, text) => {
    const send = waiting.get(DBOS.workflowID)
    const history = await DBOS.runStep(
      async () =>
        (
          await pool.query('select role, content from message where conversation = $1 order by id desc limit 10', [
            conversation,
          ])
        ).rows.reverse(),
      { name: 'load' },
    )
    const reply = await DBOS.runStep(
      async () => {
        let written = Promise.resolve() // concurrent writes to one stream land in any order, so each waits for the one before
        const whole = await streamModel([...history, { role: 'user', content: text }], (word) =>
          durable ? (written = written.then(() => DBOS.writeStream('words', word))) : send?.(word),
        )
        await written
        return whole
      },
      { name: 'model' },
    )
    await DBOS.runStep(
      () =>
        pool
          .query(`insert into message (conversation, role, content) values ($1, 'user', $2), ($1, 'assistant', $3)`, [
            conversation,
            text,
            reply,
          ])
          .then(() => null),
      { name: 'save' },
    )
    if (durable) await DBOS.closeStream('words')
    return reply
  },
  { name: 'turn' },
)

DBOS.setConfig({ name: 'bench', systemDatabaseUrl: process.env.DATABASE_URL, logLevel: 'warn', runAdminServer: false })
await DBOS.launch()

http
  .createServer(async (req, res) => {
    let raw = ''
    for await (const part of req.setEncoding('utf8')) raw += part
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    const send = (delta) => res.write(`data: ${JSON.stringify({ delta })}\n\n`)
    const sendStream = async (id) => {
      for await (const word of DBOS.readStream(id, 'words')) send(word)
      await DBOS.retrieveWorkflow(id).getResult()
      res.end('data: [DONE]\n\n')
    }
    const [, resumed] = /^\/turns\/(.+)$/.exec(req.url) ?? []
    if (resumed) return sendStream(resumed)
    if (!raw) return res.end()
    const { conversation, text } = JSON.parse(raw)
    const workflowID = randomUUID()
    if (!durable) waiting.set(workflowID, send)
    const handle = await DBOS.startWorkflow(turn, { workflowID })(conversation, text)
    res.write(`event: accepted\ndata: ${JSON.stringify({ id: workflowID })}\n\n`)
    if (durable) return sendStream(workflowID)
    await handle.getResult()
    waiting.delete(workflowID)
    res.end('data: [DONE]\n\n')
  })
  .listen(process.env.PORT, '127.0.0.1')
