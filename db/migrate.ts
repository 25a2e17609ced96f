// The ordered list of migrations and the function that applies the missing ones, safe to run in several processes at once.
import { Migrator } from 'kysely/migration'
import * as walk from './migrations/001-walk.ts'
import * as knowledge from './migrations/002-knowledge.ts'
import * as ingestion from './migrations/003-ingestion.ts'
import * as idempotency from './migrations/004-idempotency.ts'
import * as mcp from './migrations/005-mcp.ts'
import * as media from './migrations/006-media.ts'
import * as approvals from './migrations/007-approvals.ts'
import * as signIns from './migrations/008-sign-ins.ts'
import * as ocr from './migrations/009-ocr.ts'
import * as summaries from './migrations/010-summaries.ts'
import * as notedBlobs from './migrations/011-noted-blobs.ts'
import * as carriedEvents from './migrations/012-carried-events.ts'
import * as acceptedTurns from './migrations/013-accepted-turns.ts'
import * as turnQueue from './migrations/014-turn-queue.ts'
import * as versionSource from './migrations/015-version-source.ts'
import * as ticketKeys from './migrations/016-ticket-keys.ts'
import * as mcpIdleStop from './migrations/017-mcp-idle-stop.ts'
import * as modelReplies from './migrations/018-model-replies.ts'
import * as mcpWarnings from './migrations/019-mcp-warnings.ts'
import * as streamIds from './migrations/020-stream-ids.ts'
import * as refusedTools from './migrations/021-refused-tools.ts'
import * as notices from './migrations/022-notices.ts'
import * as searchWords from './migrations/023-search-words.ts'
import * as unreadFiles from './migrations/024-unread-files.ts'
import * as memory from './migrations/025-memory.ts'
import * as routing from './migrations/026-routing.ts'
import * as budgets from './migrations/027-budgets.ts'
import * as childTurns from './migrations/028-child-turns.ts'
import * as vectorSets from './migrations/029-vector-sets.ts'
import * as recall from './migrations/030-recall.ts'
import * as archived from './migrations/031-archived.ts'
import * as rateLimits from './migrations/032-rate-limits.ts'
import * as audit from './migrations/033-audit.ts'
import * as turnRequests from './migrations/034-turn-requests.ts'
import * as superseded from './migrations/035-superseded.ts'
import * as externalIds from './migrations/036-external-ids.ts'
import * as changes from './migrations/037-changes.ts'
import * as uploads from './migrations/038-uploads.ts'
import * as agentsAndKeys from './migrations/040-agents-and-keys.ts'
import * as requestCounts from './migrations/041-request-counts.ts'
import * as messageSearch from './migrations/042-message-search.ts'
import * as usageKinds from './migrations/043-usage-kinds.ts'
import type { Db } from './schema.ts'

const MIGRATIONS = {
  '001-walk': walk,
  '002-knowledge': knowledge,
  '003-ingestion': ingestion,
  '004-idempotency': idempotency,
  '005-mcp': mcp,
  '006-media': media,
  '007-approvals': approvals,
  '008-sign-ins': signIns,
  '009-ocr': ocr,
  '010-summaries': summaries,
  '011-noted-blobs': notedBlobs,
  '012-carried-events': carriedEvents,
  '013-accepted-turns': acceptedTurns,
  '014-turn-queue': turnQueue,
  '015-version-source': versionSource,
  '016-ticket-keys': ticketKeys,
  '017-mcp-idle-stop': mcpIdleStop,
  '018-model-replies': modelReplies,
  '019-mcp-warnings': mcpWarnings,
  '020-stream-ids': streamIds,
  '021-refused-tools': refusedTools,
  '022-notices': notices,
  '023-search-words': searchWords,
  '024-unread-files': unreadFiles,
  '025-memory': memory,
  '026-routing': routing,
  '027-budgets': budgets,
  '028-child-turns': childTurns,
  '029-vector-sets': vectorSets,
  '030-recall': recall,
  '031-archived': archived,
  '032-rate-limits': rateLimits,
  '033-audit': audit,
  '034-turn-requests': turnRequests,
  '035-superseded': superseded,
  '036-external-ids': externalIds,
  '037-changes': changes,
  '038-uploads': uploads,
  '040-agents-and-keys': agentsAndKeys,
  '041-request-counts': requestCounts,
  '042-message-search': messageSearch,
  '043-usage-kinds': usageKinds,
}

/** Migrates the database to the newest schema, or to that of `last`; throws with the name of the migration that failed. */
export async function migrate(db: Db, last?: keyof typeof MIGRATIONS): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(MIGRATIONS) } })
  const { error, results } = await (last === undefined ? migrator.migrateToLatest() : migrator.migrateTo(last))
  if (error === undefined) return
  const failed = results?.find((result) => result.status === 'Error')
  throw new Error(`Cannot migrate the database${failed ? `: '${failed.migrationName}' failed` : ''}`, { cause: error })
}
