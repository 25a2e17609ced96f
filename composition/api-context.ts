// Composes the context of the API's services, with the agents of the operator's files.
import { Networks } from '../contracts/networks.ts'
import { Clients } from '../api/clients.ts'
import type { ApiContext } from '../api/services/context.ts'
import type { LoadedAgent } from '../config/agent-files.ts'
import { Audit } from '../api/services/audit.ts'
import { forgetDeletedAgents } from '../api/services/delete-agent.ts'
import { Feed } from '../api/services/feed.ts'
import { feedViewers } from '../api/services/feed-viewers.ts'
import { KeyCache } from '../api/services/key-cache.ts'
import { Metrics } from '../api/services/metrics.ts'
import { OpenStreams } from '../api/services/open-streams.ts'
import { RequestCounts } from '../api/services/request-counts.ts'
import { RateLimiter } from '../api/services/rate-limiter.ts'
import { AgentFilesError, loadAgentFiles, readAgentFile } from '../config/agent-files.ts'
import { readEnvironment } from '../config/environment.ts'
import type { Settings } from '../config/settings.ts'
import { MuxiError } from '../contracts/failures.ts'
import { syncFileAgents } from '../db/queries/agents.ts'
import { setDefaultBudgets } from '../db/queries/budgets.ts'
import { findPrincipalByHash, findValidHashes } from '../db/queries/keys.ts'
import { sqliteFile } from '../db/storage.ts'
import { checkIssuer, finishSignIn, openSignIn } from '../mcp/oauth.ts'
import { expectDocument } from '../media/document/parse-document.ts'
import { clientDocument } from '../mcp/oauth-client.ts'
import { isOurUi } from '../temporal-config/server-arguments.ts'
import { createSpeaker } from './media.ts'
import { publicUrl, type Composition } from './composition.ts'

/** The context, and the agents of the files, which are stored. @param closers gets what has to be closed */
export async function createApiContext(
  { settings, env, storage, log, client, stopping, index, models, turns, guard }: Composition,
  closers: (() => Promise<void>)[],
): Promise<{ context: ApiContext; agents: LoadedAgent[] }> {
  const variables = readEnvironment(env)
  const checks = [
    variables,
    settings.providers,
    settings.knowledge_dirs,
    { long_term: settings.long_term_memory, database: { ...settings, sqlite_file: sqliteFile(settings.data_dir) } },
    (agent: Parameters<typeof models.abilityFaults>[0], source: 'file') => models.abilityFaults(agent, source),
  ] as const
  const agents = loadAgentFiles(settings.agents_dir, ...checks)
  await setDefaultBudgets(storage.db, settings.budgets)
  const pseudonym = (userId: string) => storage.box.pseudonym(userId)
  const audit = new Audit({ db: storage.db, pseudonym, log })
  closers.push(() => audit.close())
  const shown = { storage, namespace: settings.temporal.namespace, ...temporalUi(settings), log }
  const requestCounts = new RequestCounts({ db: storage.db, log })
  closers.push(() => requestCounts.flush())
  const metrics = new Metrics()
  closers.push(async () => metrics.close())
  const context: ApiContext = {
    ...shown,
    vectors: index.vectors,
    index,
    speaker: createSpeaker(settings, models.ownModels),
    client,
    providers: settings.providers,
    abilityFaults: (config, source) => models.abilityFaults(config, source),
    modelStates: () => models.health.list(),
    checkUrl: guard.check,
    apiEnv: Object.fromEntries(settings.api_env.map((name) => [name, env[name]])),
    limits: settings.limits,
    memoryDefaults: { long_term: settings.long_term_memory },
    agentsDir: settings.agents_dir,
    readAgentFile: (path) => {
      try {
        return readAgentFile(settings.agents_dir, path, ...checks)
      } catch (error) {
        throw error instanceof AgentFilesError ? new MuxiError('unprocessable', error.message, { cause: error }) : error
      }
    },
    knowledgeDirs: settings.knowledge_dirs,
    mcp: {
      commands: settings.mcp_commands,
      allow_private_urls: settings.allow_private_urls,
      fetch: (url, init) => guard.fetch(url, init),
      oauth: { checkIssuer, clientDocument, finishSignIn, openSignIn },
    },
    public_url: publicUrl(settings),
    startTurn: turns.startTurn,
    headStarts: turns.headStarts,
    // Both need workers in this process.
    expectDocument: turns.headStarts && ((type) => expectDocument(type, settings.limits.document_memory_mb)),
    openStreams: new OpenStreams({
      limits: settings.limits,
      findValid: (hashes) => findValidHashes(storage.db, hashes),
      log,
    }),
    feed: new Feed({ db: storage.db, viewers: feedViewers(shown), log }),
    rateLimiter: new RateLimiter({
      db: storage.db,
      limits: settings.rate_limits,
      pseudonym,
    }),
    requestCounts,
    metrics,
    audit,
    keys: new KeyCache((hash) => findPrincipalByHash(storage.db, hash)),
    clients: new Clients(settings.edge.trusted_proxies),
    adminNetworks: settings.edge.admin_networks && new Networks(settings.edge.admin_networks),
    auth: settings.api_key !== false,
    closing: stopping,
  }
  // A file may take the id of a deleted agent, whose knowledge and memories it must not get.
  await forgetDeletedAgents(context, new Set(agents.map(({ id }) => id)))
  await syncFileAgents(storage.db, storage.box, agents)
  return { context, agents }
}

/** The API serves the UI of muxi's own server; an external UI is only linked. */
function temporalUi(settings: Settings): Pick<ApiContext, 'temporalUiUrl' | 'temporalUpstream'> {
  const url = settings.temporal.ui_url?.replace(/\/$/, '')
  if (url === undefined || !isOurUi(url)) return { temporalUiUrl: url, temporalUpstream: undefined }
  return { temporalUiUrl: `${publicUrl(settings)}${new URL(url).pathname}`, temporalUpstream: new URL(url).origin }
}
