// What vendors answer when they do not take a tool, and which tool they mean.
import { expect, test } from 'vitest'
import { withoutRefusedTools } from '../../activities/turn/without-refused-tools.ts'
import { ProviderFailure } from '../../providers/failure.ts'
import type { GenerateRequest, Provider } from '../../providers/provider.ts'
import { refusedTools } from '../../providers/refused-tools.ts'

const names = ['one', 's__two', 's__three']

test.each([
  [
    'OpenAI',
    {
      status: 400,
      message: "400 Invalid schema for function 's__two': array schema missing items.",
      param: 'tools[1].function.parameters',
    },
    ['s__two'],
  ],
  ['Azure, by place', { status: 400, message: 'Invalid schema', param: 'tools[2].function.parameters' }, ['s__three']],
  ['Anthropic', { status: 400, message: 'tools.1.custom.input_schema: JSON schema is invalid.' }, ['s__two']],
  [
    'Gemini',
    {
      status: 400,
      message:
        '* GenerateContentRequest.tools[0].function_declarations[2].parameters.properties[a].items: missing field.',
    },
    ['s__three'],
  ],
  [
    'Gemini, in a list',
    { status: 400, message: '400 status code', error: [{ error: { message: 'Schema of function "s__two" is bad' } }] },
    ['s__two'],
  ],
  ['vLLM', { status: 422, message: 'Grammar error: tool `s__three` has an unsupported schema' }, ['s__three']],
  ['an error in a stream', { message: "Invalid schema for function 'one'", error: { code: 400 } }, ['one']],
  ['two tools', { status: 400, message: "Duplicate parameters of functions 'one' and 's__two'" }, ['one', 's__two']],
  ['another status', { status: 500, message: "Invalid schema for function 's__two'" }, []],
  ['another fault', { status: 400, message: "Invalid value: 'one'" }, []],
  ['an unknown tool', { status: 400, message: "Invalid schema for function 'other'" }, []],
  ['a place beyond the tools', { status: 400, message: 'tools.7.custom: bad' }, []],
  ['a model without tools', { status: 400, message: "'gemma' does not support tools" }, []],
])('%s', (_, refusal, expected) => expect(refusedTools(refusal, names)).toEqual(expected))

test('withoutRefusedTools() ends after a number of refusals', async () => {
  const asked: number[] = []
  const provider: Provider = {
    name: 'strict',
    generate: ({ tools }) => {
      asked.push(tools.length)
      const refused_tools = tools.slice(0, 1).map(({ name }) => name)
      throw new ProviderFailure('final', 'Invalid schema', { provider: 'strict', status: 400, refused_tools })
    },
  }
  const tools = Array.from({ length: 40 }, (_, index) => ({ name: `t${index}`, description: '', parameters: {} }))
  const request: GenerateRequest = { model: 'm', system: '', messages: [], tools, passages: [] }
  const dropped: string[] = []
  const careful = withoutRefusedTools(provider, async (refused) => void dropped.push(...refused))
  const { signal } = new AbortController()
  await expect(careful.generate(request, async () => undefined, signal)).rejects.toThrow('Invalid schema')
  expect(asked).toHaveLength(17)
  expect(dropped).toHaveLength(16)
})
