// Reads the items of the live feed, each in the form in which its list route gives it.
import type { Topic } from '../../contracts/feed.ts'
import { findAgent } from '../../db/queries/agents.ts'
import { findApprovals } from '../../db/queries/approvals.ts'
import { findConversations } from '../../db/queries/conversations.ts'
import { findJobs } from '../../db/queries/jobs.ts'
import { findTurns } from '../../db/queries/turns.ts'
import { isDatabaseAway } from '../../db/storage.ts'
import { viewAgentBriefly } from './agents.ts'
import { viewApproval } from './approvals.ts'
import type { ApiContext } from './context.ts'
import type { Viewers } from './feed.ts'
import { viewJob } from './jobs.ts'
import { viewTurnBriefly } from './turns.ts'

type Context = Pick<ApiContext, 'storage' | 'namespace' | 'temporalUiUrl' | 'log'>

export function feedViewers(context: Context): Viewers {
  const { db } = context.storage
  const { log } = context
  /** A row that cannot be read is left out, which would otherwise be read again without a limit. */
  const viewed = async <T extends { id: string }>(
    topic: Topic,
    rows: T[],
    view: (row: T) => object | undefined | Promise<object | undefined>,
  ) => {
    const items = new Map<string, object>()
    for (const row of rows) {
      try {
        const item = await view(row)
        if (item) items.set(row.id, item)
      } catch (error) {
        if (isDatabaseAway(error)) throw error
        log.warn({ err: error, topic, id: row.id }, 'a change of a damaged row is left out')
      }
    }
    return items
  }
  return {
    conversations: async (ids) => viewed('conversations', await findConversations(db, ids), (row) => row),
    turns: async (ids) => viewed('turns', await findTurns(db, ids), (row) => viewTurnBriefly(context, row)),
    approvals: async (ids) => viewed('approvals', await findApprovals(db, ids), viewApproval),
    jobs: async (ids) => viewed('jobs', await findJobs(db, ids), (row) => viewJob(context, row)),
    agents: (ids) => {
      const rows = ids.map((id) => ({ id }))
      return viewed('agents', rows, async ({ id }) => {
        const agent = await findAgent(db, id)
        return agent && viewAgentBriefly(context, agent)
      })
    },
  }
}
