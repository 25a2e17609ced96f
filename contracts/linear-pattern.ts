// Regular expressions from schemas of MCP servers, run in time linear in the text: by RE2, and within a budget.
import { RE2JS } from 're2js'

/** Longest pattern, in characters, and most repetitions that it counts in all: `a{1000}` takes the place of a thousand letters. */
const MAX_PATTERN = 1_000
const MAX_COUNTED = 1_000
/** States times characters of one check in all: about 50 ms. */
const BUDGET = 2_000_000

let left = BUDGET

/** Begins a check: the patterns that are tested until the next one share its budget. */
export function beginPatternBudget(): void {
  left = BUDGET
}

/**
 * The engine that ajv is to use for `pattern` and `patternProperties`. What RE2 cannot compile (lookaround, back references) and
 * what is over the budget counts as matching: the MCP server checks its arguments itself.
 */
export const linearPattern = Object.assign(
  (pattern: string): { test(text: string): boolean } => {
    const compiled = compile(pattern)
    return {
      test(text) {
        if (!compiled) return true
        left -= compiled.programSize() * text.length
        return left < 0 || compiled.test(text)
      },
    }
  },
  { code: 'linearPattern' },
)

function compile(pattern: string): RE2JS | undefined {
  const counted = [...pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)].map(([, from, to]) => Number(to || from))
  if (pattern.length > MAX_PATTERN || counted.reduce((sum, count) => sum + count, 0) > MAX_COUNTED) return undefined
  try {
    return RE2JS.compile(RE2JS.translateRegExp(pattern))
  } catch {
    return undefined
  }
}
