// Regular expressions from schemas of MCP servers, run in time linear in the text: by RE2, and within a budget.
import { RE2JS } from 're2js'

/** Longest pattern, in characters, and most counted repetitions: `a{1000}` expands to a thousand letters. */
const MAX_PATTERN = 1_000
const MAX_COUNTED = 1_000
/** Total of states times characters per check: about 50 ms. */
const BUDGET = 2_000_000

let left = BUDGET

/** Starts a check: the patterns tested until the next check share its budget. */
export function beginPatternBudget(): void {
  left = BUDGET
}

/**
 * ajv's engine for `pattern` and `patternProperties`. Patterns that RE2 cannot compile (lookaround, back references) and
 * checks over the budget count as matching: the MCP server checks its arguments itself.
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
