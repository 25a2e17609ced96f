// A provider that answers although the vendor refuses tools: it leaves them out and asks again. A refused request is not paid for.
import { ProviderFailure } from '../../providers/failure.ts'
import type { GenerateRequest, GenerateResult, Provider } from '../../providers/provider.ts'

/** Most requests that are refused because of tools; then the refusal counts. */
const MAX_REFUSALS = 16

/** @param onRefused gets the names of the tools that are left out, and the vendor's message; its failure fails the call */
export function withoutRefusedTools(
  provider: Provider,
  onRefused: (names: readonly string[], why: string) => Promise<void>,
): Provider {
  return {
    name: provider.name,
    async generate(request, onDelta, signal): Promise<GenerateResult> {
      const warnings: string[] = []
      let asked: GenerateRequest = request
      for (let refusals = 0; ; refusals += 1) {
        try {
          const result = await provider.generate(asked, onDelta, signal)
          return { ...result, warnings: [...warnings, ...result.warnings] }
        } catch (error) {
          const names = error instanceof ProviderFailure ? error.refusedTools : []
          const left = asked.tools.filter(({ name }) => !names.includes(name))
          if (left.length === asked.tools.length || refusals === MAX_REFUSALS) throw error
          const { message } = error as ProviderFailure
          await onRefused(names, message)
          warnings.push(`The model does not take ${quoted(names)}, left out: ${message}`)
          asked = { ...asked, tools: left }
        }
      }
    },
  }
}

function quoted(names: readonly string[]): string {
  return `${names.length === 1 ? 'the tool' : 'the tools'} ${names.map((name) => `'${name}'`).join(', ')}`
}
