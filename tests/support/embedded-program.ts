// A program that embeds muxi. Argument: what it does. It ends by itself, or is ended by a test.
import { muxi } from 'muxi'

const doing: Record<string, () => Promise<void>> = {
  /** One agent from the folder of agents, by name and by the orchestrator, streamed, and over a socket. */
  async chat() {
    await using app = muxi()
    console.log('Response:', String(await app.chat('What is the weather like in London?', { agentName: 'offline' })))
    console.log('Routed:', String(await app.chat('Hello')))
    const types = new Set<string>()
    const answer = await app.http.send('POST', '/agents/offline/chat/stream', { json: { content: 'A short story' } })
    for await (const chunk of answer.body as unknown as AsyncIterable<unknown>)
      types.add(chunk instanceof Uint8Array ? 'bytes' : typeof chunk)
    console.log(`Streamed: ${[...types].join()}`)
    const socket = app.openSocket()
    console.log(`Socket: ${await socket.sendMessage('Over a socket', { agentName: 'offline' }).text()}`)
    await socket.close()
    console.log('done')
  },
  /** Serves until a signal. */
  async serve() {
    await muxi().runServer({ port: Number(process.env['MUXI_TEST_PORT']), apiKey: true })
    console.log('stopped')
  },
  /** Never closes. */
  async forget() {
    const app = muxi()
    await app.ready()
    console.log('ready')
  },
  /** Two folders at once, and one twice. */
  async two() {
    await using first = muxi({ dataDir: 'first' })
    await using second = muxi({ dataDir: 'second' })
    const replies = await Promise.all([first, second].map((app) => app.chat('Hello', { agentName: 'offline' })))
    console.log(`Replies: ${replies.filter(({ text }) => text.length > 0).length}`)
    await using third = muxi({ dataDir: 'first' })
    await third.chat('Hello').catch((error: Error) => console.log(`Refused: ${error.name} ${error.message}`))
  },
}

await doing[process.argv[2] ?? '']?.()
