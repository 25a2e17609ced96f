// A server with three agents and a key of its own, which is shown once.
import { muxi } from 'muxi'

const app = muxi()
await app.addAgent('assistant', 'configs/assistant.yaml')
await app.addAgent('weather_expert', 'configs/weather_expert.yaml')
await app.addAgent('finance_expert', 'configs/finance_expert.yaml')

// `apiKey: true` makes a key; a string is used as it is. It serves until Ctrl-C.
await app.runServer({ port: Number(process.env['PORT'] ?? 5050), apiKey: true })
