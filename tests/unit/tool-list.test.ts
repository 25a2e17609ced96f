// Forms of tool lists that MCP servers send: which tools are offered, and what the operator is warned about.
import { describe, expect, test } from 'vitest'
import { offeredTools } from '../../mcp/tools.ts'
import { readTools } from '../../mcp/tool-list.ts'
import { good, TOOL_FORMS } from '../support/mcp-tool-forms.ts'

function read(listed: unknown) {
  const { tools, warnings } = readTools(listed)
  const offered = offeredTools('s', tools)
  return { tools: offered.tools, warnings: [...warnings, ...offered.warnings] }
}

describe('a list of tools', () => {
  test.each(TOOL_FORMS)('%s', (form, tool, offered, warning) => {
    const isFirst = !/again|taken/.test(form)
    const { tools, warnings } = read(isFirst ? [tool, good] : [good, tool])
    const others = tools.filter((each) => each.tool !== 'good')
    expect(tools.find((each) => each.tool === 'good')?.parameters).toBe(JSON.stringify(schemaOf(good)))
    expect(others.map(({ parameters }) => JSON.parse(parameters) as unknown)).toEqual(offered ? [offered] : [])
    expect(warnings).toEqual(warning ? [expect.stringMatching(warning)] : [])
  })

  test.each([[undefined], [null], ['x'], [{ good }]])('that is no array offers nothing, with a warning: %j', (listed) =>
    expect(read(listed)).toEqual({ tools: [], warnings: [expect.stringMatching(/'tools' must be an array/)] }),
  )
})

function schemaOf({ inputSchema }: typeof good): object {
  return { type: inputSchema.type, properties: inputSchema.properties, required: inputSchema.required }
}
