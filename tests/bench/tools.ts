// A tool call through its workflow, against the SDK's own client that calls the same server directly, and against a bare child workflow.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import type { Client as Temporal } from '@temporalio/client'
import { setTimeout as delay } from 'node:timers/promises'
import { EVERYTHING, NODE } from '../support/mcp-servers.ts'
import { authorization, chat, ms, percentile, report } from './measure.ts'
import type { Bench } from './processes.ts'

const CALLS = 100
const WARM = 10
const GIVEN = { message: 'hello' }
const ASK = { words: 1, gap_ms: 0, call: { name: 'everything__echo', arguments: GIVEN } }

export interface BareChild {
  temporal: Temporal
  /** Runs a workflow with one child of one activity. @returns its id */
  runParent: () => Promise<string>
}

export async function toolCalls({ muxi }: Bench, { temporal, runParent }: BareChild): Promise<void> {
  const address = `${muxi.url}/api/v1/agents/caller/mcp_servers/everything`
  const isConnected = async () =>
    ((await (await fetch(address, { headers: authorization(muxi.key) })).json()) as { connected: boolean }).connected
  while (!(await isConnected())) await delay(200)
  const client = new Client({ name: 'bench', version: '1' })
  await client.connect(new StdioClientTransport({ command: NODE, args: [EVERYTHING], stderr: 'ignore' }))
  const direct: number[] = []
  const floor: number[] = []
  const ours: number[] = []
  // Taken in turn, so that a busy moment of the machine meets all three.
  for (let call = 0; call < WARM + CALLS; call += 1) {
    const startedAt = performance.now()
    await client.callTool({ name: 'echo', arguments: GIVEN })
    const took = performance.now() - startedAt
    const bare = await childMs(temporal, await runParent())
    const { turn_id, ended } = await chat(muxi, `tools-${call}`, ASK, { agent: 'caller' })
    if (ended !== 'message_end') throw new Error(`the turn ended with ${ended}`)
    const through = await childMs(temporal, `turn/${turn_id}`)
    if (call < WARM) continue
    direct.push(took)
    floor.push(bare)
    ours.push(through)
  }
  await client.close()
  const added = percentile(ours, 50) - percentile(direct, 50)
  report('tool call: the SDK’s client directly', `${ms(percentile(direct, 50))} p50`)
  report('tool call: a bare child workflow of one activity', `${ms(percentile(floor, 50))} p50`)
  report('tool call: through its workflow', `${ms(percentile(ours, 50))} p50, ${ms(percentile(ours, 99))} p99`)
  report('added to a tool call', ms(added), added / percentile(floor, 50), '≤ 3 × bare')
}

/** How long the only child of a workflow took, from the decision to start it until its end was known, by the engine's clock. */
async function childMs(temporal: Temporal, workflowId: string): Promise<number> {
  const { events } = await temporal.workflow.getHandle(workflowId).fetchHistory()
  const at = (
    name: 'startChildWorkflowExecutionInitiatedEventAttributes' | 'childWorkflowExecutionCompletedEventAttributes',
  ) => {
    const time = events?.find((event) => event[name])?.eventTime
    return Number(time?.seconds) * 1_000 + Number(time?.nanos) / 1e6
  }
  return (
    at('childWorkflowExecutionCompletedEventAttributes') - at('startChildWorkflowExecutionInitiatedEventAttributes')
  )
}
