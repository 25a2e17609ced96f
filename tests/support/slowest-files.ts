// Where the time of a run went: its slowest files, one a line.
import type { TestModule } from 'vitest/node'

/** What is read of a file of tests. */
type Timed = Pick<TestModule, 'relativeModuleId'> & {
  project: { name: string }
  diagnostic: () => { duration: number }
}

/** @param most limit of files. @returns seconds, project and file, the slowest first */
export function slowestFiles(modules: readonly Timed[], most: number): string[] {
  return modules
    .map((module) => ({
      seconds: module.diagnostic().duration / 1_000,
      name: `${module.project.name.padEnd(11)} ${module.relativeModuleId}`,
    }))
    .toSorted((one, next) => next.seconds - one.seconds)
    .slice(0, most)
    .map(({ seconds, name }) => `${seconds.toFixed(1).padStart(6)} s  ${name}`)
}
