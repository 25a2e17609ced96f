// The names of the tools with which a model reaches other agents.
import { expect, test } from 'vitest'
import { agentToolName } from '../../activities/tools/agent-tools.ts'
import { offeredName } from '../../mcp/tools.ts'

test('names say what is done and with whom', () => {
  expect(agentToolName('ask', 'billing')).toBe('ask_billing')
  expect(agentToolName('handoff', 'billing-eu')).toBe('transfer_to_billing-eu')
})

test('long ids give names that providers accept, each its own', () => {
  const ids = ['x', 'y'].map((end) => `${'a'.repeat(63)}${end}`)
  const names = ids.flatMap((id) => [agentToolName('ask', id), agentToolName('handoff', id)])
  for (const name of names) expect(name).toMatch(/^[a-zA-Z0-9_-]{1,64}$/)
  expect(new Set(names).size).toBe(4)
})

test('no name is that of a tool of an MCP server', () => {
  expect(agentToolName('ask', 'a__b')).not.toBe(offeredName('ask_a', 'b'))
  expect(agentToolName('ask', 'a__b')).not.toBe(agentToolName('ask', 'a_b'))
})
