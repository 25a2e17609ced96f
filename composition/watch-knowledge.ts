// Synchronizes the knowledge that agent files name: at the start, and when a file changes.
import { isAbsolute, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ApiContext } from '../api/services/context.ts'
import { listFiles } from '../api/services/knowledge-content.ts'
import { syncKnowledge, type ConfiguredAgent } from '../api/services/knowledge.ts'

/** Poll interval of the files, in milliseconds: only what their folders tell, so a thousand cost a few milliseconds. */
const POLL_MS = 5_000

/** Ingests new files, then polls for changes until the signal aborts. A failure never stops it. */
export async function watchKnowledge(
  context: ApiContext,
  agents: readonly ConfiguredAgent[],
  signal: AbortSignal,
): Promise<void> {
  const paths = pathsOf(context, agents)
  let seen: string | undefined
  while (!signal.aborted) {
    const now = await lookAt(paths, context.limits.knowledge_files)
    if (now !== seen) {
      try {
        await syncKnowledge(context, agents)
        seen = now
      } catch (error) {
        context.log.warn({ err: error }, 'the knowledge of the agents could not be brought up to date; trying again')
      }
    }
    if (paths.length === 0 && seen !== undefined) return
    await delay(POLL_MS, undefined, { signal }).catch(() => undefined)
  }
}

function pathsOf({ agentsDir, knowledgeDirs }: ApiContext, agents: readonly ConfiguredAgent[]): string[] {
  return agents.flatMap(({ config }) =>
    (config.knowledge ?? []).flatMap((source) => {
      if (!('path' in source)) return []
      return isAbsolute(source.path)
        ? [source.path]
        : [agentsDir, ...knowledgeDirs].map((dir) => resolve(dir, source.path))
    }),
  )
}

async function lookAt(paths: readonly string[], most: number): Promise<string> {
  const seen: string[] = []
  for (const path of paths) {
    // The synchronization reports missing files and exceeded limits.
    const { files, unread } = await listFiles(path, most).catch(() => ({ files: [], unread: [] }))
    seen.push(path, ...files.map(({ name, version }) => `${name} ${version}`), ...unread.map(({ name }) => name))
  }
  return seen.join('\n')
}
