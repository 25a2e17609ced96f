// JSON columns: what they hold, and how a damaged one is reported.
import { describe, expect, it } from 'vitest'
import { agentConfig, keyScopes, messageAttachments, serverConfig, turnError } from '../../db/columns.ts'
import { DamagedColumn, parseColumn } from '../../db/json-column.ts'
import { separateSecrets } from '../../contracts/agent-secrets.ts'
import { resolveAgent } from '../../contracts/schemas/agent.ts'

const AGENT = resolveAgent(
  {
    description: 'Helps.',
    system_message: 'Help.',
    model: {
      provider: 'openai',
      model: 'gpt',
      api_key: 'planted',
      fallbacks: [{ provider: 'offline', model: 'offline' }],
    },
    knowledge: [{ id: 'crew', content: 'Ingrid' }],
    mcp_servers: [
      { name: 'sums', builtin: 'calculator' },
      { name: 'files', command: 'npx files', env: { TOKEN: 'planted' } },
      { name: 'far', url: 'https://example.org/mcp', credentials: [{ id: 'k', param_name: 'X', value: 'planted' }] },
    ],
  },
  'clerk',
)

describe('parseColumn()', () => {
  it('gives an agent and its servers as they are stored, without their secrets', () => {
    const { config } = separateSecrets(AGENT)
    expect(parseColumn(agentConfig, JSON.stringify(config), 'clerk/1')).toEqual(config)
    for (const server of config.mcp_servers!)
      expect(parseColumn(serverConfig, JSON.stringify(server), 'clerk/x')).toEqual(server)
  })

  it('gives undefined for null, and keeps keys that this release does not know', () => {
    expect(parseColumn(turnError, null, 'turn_1')).toBeUndefined()
    const error = { code: 'old_code', message: 'm', hint: 'of an earlier release' }
    expect(parseColumn(turnError, JSON.stringify(error), 'turn_1')).toEqual(error)
  })

  const text = JSON.stringify
  it.each([
    ['not JSON', messageAttachments, '[{"name": "planted', "'messages.attachments' of 'row': it must be JSON"],
    ['of another kind', messageAttachments, '{"planted": 1}', "'messages.attachments' of 'row': it must be a list"],
    [
      'without a key that it needs',
      messageAttachments,
      text([{ type: 'image', name: 'planted', media_type: 'image/png', size: 1 }]),
      "'messages.attachments' of 'row': '0.sha256' must be given (text)",
    ],
    [
      'an unknown scope',
      keyScopes,
      text(['chat', 'planted']),
      "'api_keys.scopes' of 'row': '1' must be one of 'chat', 'read', 'manage', 'admin'",
    ],
    [
      'wrong deep inside',
      agentConfig,
      text({ ...AGENT, memory: { buffer: 'planted' } }),
      "'agent_versions.config' of 'row': 'memory.buffer' must be a whole number",
    ],
  ] as const)('refuses what is %s, naming table, column and row and no value', (_, column, stored, expected) => {
    const refusal = (() => {
      try {
        return parseColumn<unknown>(column, stored, 'row')
      } catch (error) {
        return error
      }
    })()
    expect(refusal).toBeInstanceOf(DamagedColumn)
    const { message, cause } = refusal as DamagedColumn
    expect(message).toContain(`Cannot read ${expected}`)
    expect(`${message} ${String(cause)}`).not.toContain('planted')
  })
})
