// The client's types and the OpenAPI document say the same, in both directions.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { openApiDocument } from '../../api/openapi.ts'
import { apiRoutes } from '../support/api-routes.ts'
import { type ApiDocument, documentTypes, operationNames } from '../support/document-types.ts'

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'support')
const document = JSON.parse(JSON.stringify(openApiDocument(apiRoutes(), '1.0.0'))) as ApiDocument

/** The operations whose types differ from the client's, with what differs. */
function differences(documents: Record<string, ApiDocument>): Record<string, string[]> {
  const files = new Map<string, string>()
  for (const [name, each] of Object.entries(documents)) {
    files.set(join(folder, `${name}.generated.ts`), documentTypes(each))
    const checks = operationNames(each).map(
      (operation, index) =>
        `export const _${index}: 'same' = 0 as never as Compared<'${operation}', Operations['${operation}']>`,
    )
    const imports = [
      "import type { Compared } from './client-operations.ts'",
      `import type { Operations } from './${name}.generated.ts'`,
    ]
    files.set(join(folder, `${name}.checks.ts`), [...imports, ...checks].join('\n'))
  }
  const { config } = ts.readConfigFile(join(folder, '../../client/tsconfig.json'), (name) => ts.sys.readFile(name))
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, join(folder, '../../client'))
  const disk = ts.createCompilerHost(options)
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (name) => files.has(name) || disk.fileExists(name),
    readFile: (name) => files.get(name) ?? disk.readFile(name),
    getSourceFile: (name, version, ...more) => {
      const text = files.get(name)
      return text === undefined ? disk.getSourceFile(name, version, ...more) : ts.createSourceFile(name, text, version)
    },
  }
  const program = ts.createProgram([...files.keys()], options, host)
  return Object.fromEntries(
    Object.entries(documents).map(([name, each]) => {
      const operations = operationNames(each)
      const lines = [`${name}.generated.ts`, `${name}.checks.ts`].flatMap((file) => {
        const source = program.getSourceFile(join(folder, file))!
        const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
        return found.map(({ messageText, start = 0 }) => {
          const { line } = source.getLineAndCharacterOfPosition(start)
          const said = ts.flattenDiagnosticMessageText(messageText, ' ')
          return `${file.includes('checks') ? operations[line - 2] : file}: ${/^Type '"(.*?)"'/.exec(said)?.[1] ?? said}`
        })
      })
      return [name, lines]
    }),
  )
}

// The compiler reads the client and its schemas: seconds, and a minute on a busy machine.
const PATIENT = { timeout: 300_000 }

it('every operation has the types of the document, and a field more or less on one side is found', PATIENT, () => {
  const more = structuredClone(document)
  more.components.schemas['AgentBrief']!.properties!['colour'] = { type: 'string' }
  const less = structuredClone(document)
  delete less.components.schemas['ChatRequest']!.properties!['on_busy']
  const other = structuredClone(document)
  const query = other.paths['/api/v1/agents']!['get']!.parameters!.find(({ name }) => name === 'limit')!
  query.schema = { type: 'string' }
  other.paths['/api/v1/new'] = { get: { responses: { 200: {} } } }
  const found = differences({ document, more, less, other })
  expect(found['document']).toEqual([])
  expect(found['more']).toEqual(['GET /api/v1/agents: the reply differs'])
  expect(found['less']).toEqual([
    'POST /api/v1/agents/{agent_id}/chat: the request differs',
    'POST /api/v1/agents/{agent_id}/chat/stream: the request differs',
    'POST /api/v1/chat: the request differs',
    'POST /api/v1/chat/stream: the request differs',
  ])
  expect(found['other']).toEqual([
    'GET /api/v1/agents: the request differs',
    'GET /api/v1/new: the client does not have it',
  ])
})
