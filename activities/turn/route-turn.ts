// The orchestrator: a model chooses the agent of a turn by the agents' descriptions. Without a model, or when it fails, the nearest
// description in meaning decides; a choice that is not sure enough goes to the default agent.
import { activityInfo, cancellationSignal } from '@temporalio/activity'
import type { UsageOwner } from '../../contracts/budget.ts'
import { MuxiError } from '../../contracts/failures.ts'
import { AUTO, type RouteResult } from '../../contracts/routing.ts'
import type { Provider } from '../../contracts/schemas/agent.ts'
import { listOlder, parseAttachments } from '../../db/queries/conversations.ts'
import { getAgentSecrets, getAgentVersion } from '../../db/queries/agents.ts'
import { endLogEntry, startLogEntry } from '../../db/queries/log.ts'
import {
  findPreviousAgent,
  keepRoute,
  listRoutable,
  routingKey,
  setRoute,
  type RoutableAgent,
} from '../../db/queries/routing.ts'
import { findTurn, lockTurn } from '../../db/queries/turns.ts'
import type { TurnsTable } from '../../db/schema.ts'
import { StopRequested } from '../../db/stops.ts'
import { briefOf } from '../../providers/failure.ts'
import type { GenerateRequest } from '../../providers/provider.ts'
import type { ChainModel } from '../../providers/registry.ts'
import { meteredEmbedder } from '../../vectors/metered-embedder.ts'
import { embedOnce } from '../embed-once.ts'
import { noAgent, overtaken } from '../failures.ts'
import { startBeating } from '../heartbeat.ts'
import { callMetered, ROUTING_STEP } from '../metered-call.ts'
import type { ActivityResources } from '../resources.ts'
import { nearestAgent } from './nearest-agent.ts'
import { answerSchema, readAnswer, toPrompt, UnknownAgent, type Asked } from './routing-prompt.ts'

export interface RoutingOptions {
  /** The model that chooses; default: the first model of the default agent. */
  model?: { provider: Provider; model: string } | undefined
  /** Gets the messages that no agent fits; default: the first by id. */
  default_agent?: string | undefined
  /** The least confidence, from 0 to 1, with which a choice counts. */
  threshold: number
}

/** Longest wait for the model, in milliseconds: the reply waits for it. */
const MODEL_MS = 10_000
/** Attempts that may ask a model: each is paid for. */
const MODEL_ATTEMPTS = 2
/** Earlier messages that the model is shown. */
const EARLIER = 2
/** What the model says beyond is not read, in characters. */
const MAX_ANSWER = 2_000

type Resources = Pick<ActivityResources, 'db' | 'events' | 'box' | 'stops' | 'models' | 'index'> & {
  routing: RoutingOptions
}

interface Choice {
  agent: RoutableAgent
  confidence: number
  by: 'model' | 'meaning' | 'default'
  /** Of the model, when it failed. */
  error?: string
}

export function routeTurnActivities(resources: Resources) {
  const { db, events, box, stops, models, index, routing } = resources
  const embedder = index.embedders.configured
  return {
    /** Chooses the agent of a turn, once. */
    async routeTurn({ turn_id }: { turn_id: string }): Promise<RouteResult> {
      const stopBeating = startBeating()
      const stop = stops.register(turn_id)
      const signal = AbortSignal.any([stop.signal, cancellationSignal()])
      try {
        const turn = await getTurnOrThrow(turn_id)
        return turn.agent_id === AUTO ? await route(turn, signal) : await resultOf(turn)
      } catch (error) {
        // `finishTurn` reads in the row that the turn is to be cancelled.
        throw signal.aborted && signal.reason instanceof StopRequested ? overtaken() : error
      } finally {
        stop.done()
        stopBeating()
      }
    },
  }

  async function route(turn: TurnsTable, signal: AbortSignal): Promise<RouteResult> {
    const { attempt, activityId: activity_id, workflowExecution } = activityInfo()
    const startedAt = performance.now()
    const asked = await readAsked(turn)
    const key = await routingKey(db, asked.message, asked.previous)
    const agents = await listRoutable(db)
    if (agents.length === 0) throw noAgent()
    const router = await routerOf(agents)
    const log = {
      stream_id: turn.id,
      kind: 'routing' as const,
      name: router.model?.model ?? embedder.model,
      workflow_id: workflowExecution?.workflowId ?? '',
      activity_id,
      attempt,
      input: { agents: agents.map(({ id }) => id), ...(asked.previous !== undefined && { previous: asked.previous }) },
    }
    const logId = await db.transaction().execute((tx) => startLogEntry(tx, log))
    const ended = () => ({ duration_ms: performance.now() - startedAt })
    let choice: Choice
    try {
      choice = await choose(turn, asked, agents, router, signal)
    } catch (error) {
      const isStopped = signal.aborted
      await endLogEntry(db, logId, {
        status: isStopped ? 'cancelled' : 'failed',
        ...ended(),
        error: { message: reasonOf(error) },
      })
      throw isStopped ? signal.reason : error
    }
    const { agent, confidence, by, error } = choice
    const { config } = await getAgentVersion(db, agent.id, agent.version)
    const begun = await db.transaction().execute(async (tx) => {
      await lockTurn(tx, turn.id)
      await endLogEntry(tx, logId, {
        status: 'completed',
        ...ended(),
        output: { agent_id: agent.id, confidence, by },
        ...(error !== undefined && { error: { message: error } }),
      })
      // Only what a model was sure of by the words of the message alone holds for other users too.
      if (by === 'model' && asked.earlier.length === 0) await keepRoute(tx, key, { agent_id: agent.id, confidence })
      return setRoute(tx, turn.id, { ...agent, config }, confidence)
    })
    events.publish(turn.id, begun)
    return resultOf(await getTurnOrThrow(turn.id))
  }

  async function choose(
    turn: TurnsTable,
    asked: Asked,
    agents: RoutableAgent[],
    router: Router,
    signal: AbortSignal,
  ): Promise<Choice> {
    const { model, fallback } = router
    let error: string | undefined
    if (model && activityInfo().attempt <= MODEL_ATTEMPTS) {
      try {
        return settle(await askModel(turn, asked, agents, model, signal), 'model')
      } catch (failure) {
        signal.throwIfAborted()
        error = reasonOf(failure)
      }
    }
    const either = AbortSignal.any([signal, AbortSignal.timeout(MODEL_MS)])
    const embed = (texts: string[]) => embedOnce(db, meteredEmbedder(db, embedder, turn.id, turn), texts, either)
    const near = await nearestAgent(asked.message.content, agents, embed, either).catch((failure: unknown) => {
      signal.throwIfAborted()
      error ??= reasonOf(failure)
      return { id: fallback.id, confidence: 0 }
    })
    return { ...settle(near, 'meaning'), ...(error !== undefined && { error }) }

    function settle({ id, confidence }: { id: string; confidence: number }, by: Choice['by']): Choice {
      const agent = agents.find((each) => each.id === id)
      const isSure = agent !== undefined && confidence >= routing.threshold
      return { agent: isSure ? agent : fallback, confidence, by: isSure ? by : 'default' }
    }
  }

  /** @throws ProviderFailure, MuxiError, or an error when the answer names no agent */
  async function askModel(
    owner: UsageOwner,
    asked: Asked,
    agents: RoutableAgent[],
    model: RouterModel,
    signal: AbortSignal,
  ) {
    const { key_id, user_id, agent_id } = owner
    const limit = AbortSignal.timeout(MODEL_MS)
    const request: GenerateRequest = {
      model: model.model,
      ...toPrompt(asked, agents),
      tools: [],
      passages: [],
      temperature: 0,
      response_schema: answerSchema(agents),
    }
    const call = {
      owner: { key_id, user_id, agent_id },
      step: ROUTING_STEP,
      fence: activityInfo().attempt,
      model,
      provider: models.open(model, model.api_key),
      request,
      max_characters: MAX_ANSWER,
    }
    const { text } = await callMetered(db, asked.turn_id, call, AbortSignal.any([signal, limit]))
    return readAnswer(text, agents)
  }

  async function routerOf(agents: RoutableAgent[]): Promise<Router> {
    const fallback = agents.find(({ id }) => id === routing.default_agent) ?? agents[0]!
    const { config, source } = await getAgentVersion(db, fallback.id, fallback.version)
    const [model] = routing.model ? models.chainOf({ model: routing.model }, 'file') : models.chainOf(config, source)
    // The offline model decides nothing.
    if (!model || model.provider === 'offline') return { fallback, model: undefined }
    const secrets = routing.model ? {} : await getAgentSecrets(db, box, fallback.id, fallback.version)
    return { fallback, model: { ...model, api_key: secrets[model.key_path] } }
  }

  async function readAsked(turn: TurnsTable): Promise<Asked> {
    const { id, conversation_id, user_message_id } = turn
    const own = await db
      .selectFrom('messages')
      .select(['content', 'attachments'])
      .where('id', '=', user_message_id)
      .executeTakeFirstOrThrow()
    const attachments = parseAttachments(own.attachments, id)
    const message = { conversation_id, content: own.content, attachments, turn_id: id }
    const earlier = await listOlder(db, conversation_id, user_message_id, EARLIER)
    return { turn_id: id, message, earlier, previous: await findPreviousAgent(db, message) }
  }

  async function resultOf({ id: turn_id, agent_id, agent_version }: TurnsTable): Promise<RouteResult> {
    // The turn has ended meanwhile.
    if (agent_id === AUTO) throw overtaken()
    const { config, source } = await getAgentVersion(db, agent_id, agent_version)
    const order = models.orderOf(models.chainOf(config, source), config)
    return { turn_id, agent_id, agent_version, models: order }
  }

  async function getTurnOrThrow(id: string): Promise<TurnsTable> {
    const turn = await findTurn(db, id)
    if (!turn) throw new Error(`Cannot find turn '${id}'`)
    return turn
  }
}

type RouterModel = ChainModel & { api_key: string | undefined }

interface Router {
  model: RouterModel | undefined
  fallback: RoutableAgent
}

function reasonOf(error: unknown): string {
  if (error instanceof MuxiError) return error.message
  return error instanceof UnknownAgent ? 'the model named no agent' : briefOf(error)
}
