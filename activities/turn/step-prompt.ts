// Everything that a step's model call is made from, read and recalled before anything is written.
import type { Logger } from 'pino'
import type { RecalledMemory } from '../../contracts/memory.ts'
import { toOfferedSchema } from '../../contracts/tool-schema.ts'
import type { ModelCallInput } from '../../contracts/turn.ts'
import { turnResponseSchema } from '../../db/columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import { getAgentSecrets, getAgentVersion } from '../../db/queries/agents.ts'
import { oncePerVersion } from '../../db/queries/once-per-version.ts'
import { refuseTool } from '../../db/queries/mcp-tools.ts'
import { readStepInput, type StepInput } from '../../db/queries/turn-input.ts'
import { isFinalStatus } from '../../db/queries/turns.ts'
import type { GenerateRequest, Provider } from '../../providers/provider.ts'
import { modelKey, type ChainModel } from '../../providers/registry.ts'
import { estimateInput } from '../metered-call.ts'
import { fitToWindow } from './fit-window.ts'
import { buildPrompt } from './prompt.ts'
import { routedCall } from './routed-call.ts'
import { schemaRule, structuredAnswers } from './structured-answer.ts'
import { withoutRefusedTools } from './without-refused-tools.ts'
import { hasToRecall, recall, type Recalled } from './recall.ts'
import { MessageVectors } from './recent-messages.ts'
import type { ActivityResources } from '../resources.ts'
import { agentTools } from '../tools/agent-tools.ts'
import { callersTools, withCallersTools } from '../tools/callers-tools.ts'
import { offerTools, type OfferedTool } from '../tools/tools.ts'

type Resources = Pick<ActivityResources, 'db' | 'blobs' | 'box' | 'models' | 'tools' | 'index'> & {
  log: Logger
}

/** A request that is ready to be sent, and what its attempt writes down. */
export interface StepPrompt {
  given: StepInput
  model: ChainModel
  provider: Provider
  request: GenerateRequest
  offered: readonly OfferedTool[]
  /** How many of the oldest messages did not fit into the model's context window. */
  left_out: number
  /** Whether what was recalled did not fit either. */
  without_material: boolean
  /** The text that earlier steps of the turn have shown. */
  shown: string
  /** What this attempt has recalled; undefined when the turn had recalled before, or there is nothing to search. */
  recalled: Recalled | undefined
  /** Estimated. */
  input_tokens: number
}

/** Of a turn that is over, answered or to be cancelled. */
export interface NoPrompt {
  given: StepInput
  request?: undefined
}

export type PrepareStep = (input: ModelCallInput, signal: AbortSignal) => Promise<StepPrompt | NoPrompt>

/** Makes the function that prepares a step. Of a turn that is over, answered or to be cancelled it reads the rows only. */
export function stepPrompts(resources: Resources): PrepareStep {
  const { db, blobs, box, models, tools, log } = resources
  const messageVectors = new MessageVectors(db)
  const versionOf = oncePerVersion(async (id, version) => {
    const { config, source } = await getAgentVersion(db, id, version)
    return { config, source, secrets: await getAgentSecrets(db, box, id, version) }
  })

  return async (input, signal) => {
    const { turn_id, step, agent_id, agent_version } = input
    const { config, source, secrets } = await versionOf(agent_id, agent_version)
    const given = await readStepInput(db, turn_id, step, config.memory.buffer)
    const { turn, carried } = given
    if (given.answered || isFinalStatus(turn.status) || turn.cancel_requested_at !== null) return { given }
    const chain = models.chainOf(config, source)
    const model = chain[input.place ?? input.model]!
    const api_key = secrets[model.key_path]
    const callers = callersTools(carried)
    const provider = withoutRefusedTools(models.open(model, api_key), async (names, why) => {
      log.warn({ agent_id, model: model.model, tools: names, why }, 'a model does not take tools, they are left out')
      const listed = names.filter((name) => !callers.some((tool) => tool.name === name))
      for (const name of listed) await refuseTool(db, agent_id, name, modelKey(model), why)
    })
    const isFirst = given.passages === undefined && hasToRecall(given, config.memory)
    const recalled = isFirst ? await recall({ ...resources, messageVectors }, given, config.memory, signal) : undefined
    const { passages = [], memories, about_user } = recalled ?? given
    const prompt = await buildPrompt(db, blobs, { ...given, passages, memories, about_user }, step, config, model)
    const builtIn = tools.filter(({ needs }) => needs !== 'documents' || given.searchable)
    const own = [...builtIn, ...(await agentTools(db, config))]
    const ofAgent = given.has_servers ? await offerTools(db, agent_id, own, modelKey(model)) : own
    const { offered, tool_choice } = withCallersTools(ofAgent, callers, carried)
    const schema =
      turn.response_schema === null ? undefined : parseColumn(turnResponseSchema, turn.response_schema, turn_id)
    const isEnforced = model.known.enforces_schema
    const whole = {
      model: model.model,
      system: schema && !isEnforced ? `${prompt.system}\n\n${schemaRule(schema)}` : prompt.system,
      messages: prompt.messages,
      tools: offered.map(({ name, description, parameters, strict }) => ({
        name,
        description,
        parameters: toOfferedSchema(parameters),
        ...(strict !== undefined && { strict }),
      })),
      passages: [...passages, ...memories.map(toPassage)],
      ...(tool_choice !== undefined && { tool_choice }),
      temperature: carried?.temperature ?? model.temperature,
      top_p: carried?.top_p ?? model.top_p,
      reasoning: carried?.reasoning ?? model.reasoning,
      stop: carried?.stop,
      seed: carried?.seed,
      frequency_penalty: carried?.frequency_penalty,
      presence_penalty: carried?.presence_penalty,
      max_output_tokens: least(model.max_output_tokens, carried?.max_output_tokens),
      ...(schema && isEnforced && { response_schema: schema }),
    }
    const { material_rule } = prompt
    const { without_material, left_out, ...fitted } = fitToWindow(
      { ...whole, material_rule },
      model.known.context_window,
    )
    const request = { ...whole, ...fitted, ...(without_material && { passages: [] }) }
    const input_tokens = estimateInput(request)
    const isLast = input.model + 1 >= chain.length
    const routed = routedCall(provider, models, { model, api_key, isLast, input_tokens })
    return {
      given,
      model,
      provider: schema ? structuredAnswers(routed, schema, { shows_unfinished: carried !== undefined }) : routed,
      request,
      left_out,
      without_material,
      offered,
      shown: prompt.shown,
      recalled,
      input_tokens,
    }
  }
}

/** A caller may ask for less than the agent's limit, not for more. */
function least(limit: number | undefined, asked: number | undefined): number | undefined {
  return limit === undefined || asked === undefined ? (asked ?? limit) : Math.min(limit, asked)
}

/** A message of earlier as the offline model quotes it. */
function toPassage({ content, said_at, role }: RecalledMemory): GenerateRequest['passages'][number] {
  return { document: `${role === 'user' ? 'said by you' : 'said by me'} on ${said_at.slice(0, 10)}`, content }
}
