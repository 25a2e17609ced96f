// Reads MUXI_MODELS_FILE: what the operator says of models, YAML or JSON.
import { readFileSync } from 'node:fs'
import { ProviderSchema } from '../contracts/schemas/agent.ts'
import { dotted, schemaFaults } from '../contracts/schemas/faults.ts'
import { type OwnModels, OwnModelsSchema } from '../contracts/schemas/own-models.ts'
import { readAgentDocument } from './agent-document.ts'
import { SettingsError } from './settings-error.ts'

/** Of models that agents name, and of those that transcribe only. */
const PROVIDERS: readonly string[] = [...ProviderSchema.anyOf.map((each) => each.const), 'deepgram', 'compatible']

/** The entries of the file, none without a file. @throws SettingsError with every fault */
export function readModelsFile(path: string | undefined): OwnModels {
  if (path === undefined) return {}
  const document = readAgentDocument(readFileSync(path, 'utf8'), {})
  const value = document.value ?? {}
  const named = Object.keys(value).filter((key) => !PROVIDERS.some((provider) => key.startsWith(`${provider}:`)))
  const faults = [
    ...document.faults,
    ...schemaFaults(OwnModelsSchema, value).map((fault) => ({
      ...fault,
      ...document.locate(fault.path),
      found: fault.kind === 'missing' ? 'nothing' : fault.kind === 'unknown' ? 'an unknown key' : 'something else',
    })),
    ...named.map((key) => ({
      ...document.locate([key]),
      path: [key],
      expected: `named '<provider>:<model>', with one of the providers ${PROVIDERS.join(', ')}`,
      found: `'${key}'`,
    })),
  ]
  if (faults.length === 0) return value as OwnModels
  throw new SettingsError(
    faults
      .toSorted((a, b) => a.line - b.line || a.column - b.column)
      .map(({ line, column, path: at, expected, found }) => {
        const what = at.length === 0 ? 'the file' : `'${dotted(at)}'`
        return `Cannot load ${path}:${line}:${column}: ${what} must be ${expected}, got ${found}`
      }),
  )
}
