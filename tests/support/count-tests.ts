// Counts the results of a run, so that nothing that went wrong can be missing from the sum.
import type { TestModule } from 'vitest/node'

/** A file or a group that failed as such (it could not be loaded, its set-up threw) and an error outside of any test count as failed. */
export function countTests(modules: Pick<TestModule, 'children' | 'errors'>[], unhandledErrors: number) {
  const counts = { passed: 0, failed: unhandledErrors, skipped: 0 }
  for (const module of modules) {
    if (module.errors().length > 0) counts.failed += 1
    for (const suite of module.children.allSuites()) {
      if (suite.errors().length > 0) counts.failed += 1
    }
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      // A test that is still pending at the end of the run never ran.
      if (state === 'pending') counts.failed += 1
      else counts[state] += 1
    }
  }
  return counts
}
