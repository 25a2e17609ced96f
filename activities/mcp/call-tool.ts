// One attempt to call a tool of an MCP server, in the worker that owns the connection.
import { readFile } from 'node:fs/promises'
import { activityInfo, cancellationSignal } from '@temporalio/activity'
import type { McpCallInput } from '../../contracts/mcp.ts'
import type { ToolCallInput, ToolCallResult } from '../../contracts/turn.ts'
import { timeoutsOf } from '../../contracts/mcp-timeouts.ts'
import { parametersOf } from '../../db/queries/mcp-tools.ts'
import { insertFile } from '../../db/queries/files.ts'
import { untilDatabaseIsBack } from '../../db/storage.ts'
import type { ToolCallsTable, Tx } from '../../db/schema.ts'
import { getAgentVersion } from '../../db/queries/agents.ts'
import type { ImageLimits } from '../../media/image/image.ts'
import type { McpConnection } from '../../mcp/connection.ts'
import { McpFailure, type Challenge } from '../../mcp/failure.ts'
import { readAnswer } from '../../mcp/result.ts'
import { isRepeatable } from '../../mcp/tools.ts'
import { callApprovals } from '../tools/call-approvals.ts'
import { callQuestions } from '../tools/call-questions.ts'
import { again, broken, overtaken } from '../failures.ts'
import { cannotBeCalled, findCallable, gateOf } from './route-call.ts'
import { startBeating } from '../heartbeat.ts'
import { readyAnswer } from './answer-pictures.ts'
import { StartFailure, type OwnedServer } from './owned-server.ts'
import type { OwnedServers } from './owned-servers.ts'
import { CallProgress } from '../tools/call-progress.ts'
import type { ActivityResources } from '../resources.ts'
import type { SignIns } from './sign-ins.ts'
import { toolLedger, type BegunCall, type CallEnd } from '../tools/tool-ledger.ts'
import type { CallableTool } from '../tools/tools.ts'
import type { Lent } from './user-connections.ts'

const STARTING = 'Starting the server'
/** Rounds after which a repeatable call fails. */
const MAX_REPEATS = 5

type Resources = Pick<ActivityResources, 'db' | 'events' | 'blobs' | 'stops' | 'models' | 'tool_output_characters'> & {
  image_limits: ImageLimits
  holder: OwnedServers
  signIns: SignIns
}

export function mcpCallActivities(resources: Resources) {
  const { db, events, blobs, stops, models, image_limits, holder, signIns, tool_output_characters } = resources
  const ledger = toolLedger(resources)
  const approvals = callApprovals(resources)

  /** The tool as it is listed now; whether it may run twice is the operator's setting. */
  async function find(tx: Tx, input: McpCallInput, call: ToolCallsTable) {
    const found = await findCallable(tx, input, call)
    if (!found) return undefined
    // The tool has changed since the call was approved.
    if (call.status === 'planned' && (await gateOf(tx, input, call))) throw again('The call needs an approval')
    const { server, tool } = found
    return {
      name: tool.name,
      tool: tool.tool,
      parameters: parametersOf(tool),
      idempotent: isRepeatable(server, tool),
    }
  }

  async function make(
    input: McpCallInput,
    held: OwnedServer,
    connection: McpConnection,
    begun: BegunCall & { tool: CallableTool & { tool: string } },
    signal: AbortSignal,
  ): Promise<CallEnd> {
    const { tool, parameters } = begun
    const { silence_ms, total_ms } = timeoutsOf(held.hold.server)
    const questions = callQuestions({ events, approvals }, input, begun, tool.tool)
    const progress = new CallProgress((news) => ledger.progress(input, begun, news))
    try {
      const result = await held.call(connection, tool.tool, parameters, {
        signal,
        owner: input.turn_id,
        onQuestion: (question, over) => questions.put(question, AbortSignal.any([signal, over]), signal),
        silence_ms,
        total_ms,
        onProgress: (news) => progress.report({ ...news, ...(news.message && { message: held.clean(news.message) }) }),
      })
      const answer = readAnswer(result)
      const { user_id, chain } = await untilDatabaseIsBack(() => readersOf(input), signal)
      const { text, images } = await readyAnswer(answer, {
        models: chain,
        owner: user_id,
        limits: image_limits,
        keep: async (path) => {
          const bytes = await readFile(path)
          return untilDatabaseIsBack(() => blobs.put(user_id, bytes), signal)
        },
        clean: (given) => held.clean(given),
        signal,
      })
      const kept = await untilDatabaseIsBack(() => keepWhole(input, text), signal)
      return { status: answer.is_error ? 'error' : 'done', text: kept, images }
    } finally {
      await progress.end()
    }
  }

  async function ownerOf({ turn_id }: ToolCallInput) {
    return db.selectFrom('turns').select(['user_id', 'key_id']).where('id', '=', turn_id).executeTakeFirstOrThrow()
  }

  /** The user of the turn, and the models that may read what a tool answers. */
  async function readersOf({ turn_id }: ToolCallInput) {
    const turn = await db
      .selectFrom('turns')
      .select(['user_id', 'agent_id', 'agent_version'])
      .where('id', '=', turn_id)
      .executeTakeFirstOrThrow()
    const { config, source } = await getAgentVersion(db, turn.agent_id, turn.agent_version)
    return { user_id: turn.user_id, chain: models.chainOf(config, source) }
  }

  /** A result that is too long for the model is stored as a file of the user; the model gets its beginning. */
  async function keepWhole(input: ToolCallInput, text: string): Promise<string> {
    if (text.length <= tool_output_characters) return text
    const { user_id, key_id } = await ownerOf(input)
    const bytes = Buffer.from(text)
    const sha256 = await blobs.put(user_id, bytes)
    const name = `${input.name}.txt`
    const file = await insertFile(db, { user_id, key_id, name, type: 'text/plain', size: bytes.length, sha256 })
    const note = `\n[shortened: the whole answer has ${text.length} characters and is the file ${file.id}]`
    return text.slice(0, tool_output_characters - note.length) + note
  }

  /**
   * Makes the call wait until its user has signed in. @returns the failure to throw
   * @throws McpFailure when the server has no sign-in
   */
  async function parkForSignIn(
    input: McpCallInput,
    held: OwnedServer,
    user_id: string,
    challenge: Challenge,
    signal: AbortSignal,
    run?: BegunCall,
  ): Promise<Error> {
    const { tool } = await ledger.look(input)
    const { asked, url } = await signIns.ask(held.hold, user_id, input, challenge, signal)
    const approval = {
      place: `sign_in/${asked}`,
      kind: 'sign_in',
      name: tool ?? input.name,
      server: input.server,
      url,
    } as const
    return untilDatabaseIsBack(() => approvals.park(input, approval, run), signal)
  }

  return {
    async callMcpTool(input: McpCallInput): Promise<ToolCallResult> {
      const ref = { agent_id: input.agent_id, name: input.server }
      const held = holder.find(ref)
      if (!held) throw again(`The worker no longer holds '${input.server}'`)
      const stopBeating = startBeating()
      const stop = stops.register(input.turn_id)
      const signal = AbortSignal.any([stop.signal, cancellationSignal()])
      let lent: Lent | undefined
      try {
        const { status } = await ledger.look(input)
        const { down } = held
        if (status === 'planned' && down !== undefined) return await ledger.abandon(input, cannotBeCalled(input, down))
        const { user_id } = await ownerOf(input)
        // A new call starts only when the server is available; one that was started before is settled at once.
        if (status === 'planned') {
          if (held.isStarting) await ledger.announce(input, STARTING)
          try {
            lent = await held.lend(user_id, signal)
          } catch (error) {
            if (error instanceof StartFailure) return await ledger.abandon(input, cannotBeCalled(input, error.message))
            if (!(error instanceof McpFailure && error.challenge)) throw error
            throw await parkForSignIn(input, held, user_id, error.challenge, signal)
          }
        }
        const begun = await ledger.begin(input, fenceOf(input), (tx, call) => find(tx, input, call))
        if ('result' in begun) return begun.result
        const { run } = begun
        let end: CallEnd
        try {
          if (!lent && held.isStarting) await ledger.progress(input, run, { progress: 0, message: STARTING })
          lent ??= await held.lend(user_id, signal)
          end = await make(input, held, lent.connection, run, signal)
        } catch (thrown) {
          signal.throwIfAborted()
          let error = thrown
          if (error instanceof McpFailure && error.challenge) {
            const { challenge } = error
            const parked = await parkForSignIn(input, held, user_id, challenge, signal, run).catch(
              (why: unknown) => why,
            )
            if (!(parked instanceof McpFailure)) throw parked
            error = parked
          }
          if (!(error instanceof McpFailure)) throw error
          const why = `${held.hold.name}: ${error.message}`
          if (error.kind === 'unsent') {
            await untilDatabaseIsBack(() => ledger.giveBack(input, run, why), signal)
            throw again('The call was not made')
          }
          if (error.kind === 'lost' && run.tool.idempotent && input.round < MAX_REPEATS) throw broken()
          end = endOf(error, why, run.tool.idempotent)
        }
        // This is the only copy of the result: if it is lost, the outcome is unknown.
        return await untilDatabaseIsBack(() => ledger.finish(input, run, end), cancellationSignal())
      } catch (error) {
        // abandonToolCall settles the outcome, once Temporal's cancellation has arrived.
        if (signal.aborted) throw cancellationSignal().aborted ? cancellationSignal().reason : overtaken()
        // Final: the server has no sign-in.
        if (error instanceof McpFailure && error.kind === 'answered')
          return await ledger.abandon(input, cannotBeCalled(input, error.message))
        if (error instanceof McpFailure) throw again(`'${input.server}' is not connected`)
        throw error
      } finally {
        lent?.giveBack()
        stop.done()
        stopBeating()
      }
    },
  }
}

export type McpCallActivities = ReturnType<typeof mcpCallActivities>

function endOf(failure: McpFailure, why: string, idempotent: boolean): CallEnd {
  if (failure.kind === 'answered' || idempotent) return { status: 'error', text: `The call failed: ${why}` }
  return {
    status: 'unknown',
    text: `Outcome unknown: the call may or may not have had its effect (${why}). It was not repeated.`,
  }
}

/** Temporal counts attempts from 1 in every round. */
function fenceOf({ round }: McpCallInput): number {
  return round * 1_000 + activityInfo().attempt
}
