// An agent from a config file, in this process: no server, no port, no key.
import { muxi } from 'muxi'

await using mx = muxi()
await mx.addAgent('assistant', 'configs/my_agent.yaml')

const response = await mx.chat("What's the weather like in London?", { agentName: 'assistant' })
console.log(`Response: ${response}`)

// Without a name the orchestrator chooses the agent.
const chosen = await mx.chat('What is 12.5% of 89.90?')
console.log(`${chosen.agent_id}: ${chosen}`)

await mx.getAgent('assistant').addKnowledge({
  path: 'knowledge/climate_data.txt',
  description: 'Climate data for major cities',
})
const informed = await mx.chat('How much rain falls in Lisbon in January?', { agentName: 'assistant' })
console.log(`With knowledge: ${informed}`)

// Or start a server: await mx.startServer({ port: 5050 })
