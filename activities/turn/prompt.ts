// What a model is shown in a step: instructions, the latest messages of the conversation, and what happened in this turn so far.
import type { ModelRef } from '../../contracts/turn.ts'
import {
  textPart,
  type AssistantPart,
  type ImagePart,
  type ModelMessage,
  type ToolCallPart,
  type ToolResultPart,
  type UserPart,
} from '../../contracts/model-messages.ts'
import { noticeText } from '../../contracts/notices.ts'
import { bracketedName, promptText } from '../../contracts/prompt-text.ts'
import type { AgentConfig } from '../../contracts/schemas/agent.ts'
import { jobError, jobResult } from '../../db/job-columns.ts'
import { parseColumn } from '../../db/json-column.ts'
import type { Blobs } from '../../db/blobs.ts'
import { listJobsOfMessages, listJobsOfTurn } from '../../db/queries/jobs.ts'
import type { Passage } from '../../db/queries/recalls.ts'
import { listSteps, parseImages } from '../../db/queries/steps.ts'
import type { StepInput } from '../../db/queries/turn-input.ts'
import type { Db, JobsTable } from '../../db/schema.ts'
import type { ChainModel } from '../../providers/registry.ts'
import { readMedia } from '../ingest/media-rows.ts'
import { toModelMessages } from './carried-messages.ts'
import { tellMaterial } from './recalled-material.ts'
import { ShownPictures } from './shown-pictures.ts'
import { STEP_SEPARATOR } from './step-text.ts'

export interface Prompt {
  system: string
  /** What the instructions say of the recalled material, which is the exchange before the question; undefined without one. */
  material_rule: string | undefined
  messages: ModelMessage[]
  /** The passages that stand in the messages. */
  passages: Passage[]
  /** The text that earlier steps of this turn have shown. */
  shown: string
}

type PromptedModel = Pick<ChainModel, 'provider' | 'model' | 'known'>

export async function buildPrompt(
  db: Db,
  blobs: Blobs,
  { turn, carried, asked, attached, passages = [], memories, about_user, earlier }: StepInput,
  step: number,
  config: AgentConfig,
  model: PromptedModel,
): Promise<Prompt> {
  const pictures = new ShownPictures(blobs, model)
  // The latest pictures first: of those before them, as many are shown as the model's limits leave room for.
  const happened = step > 1 ? await showSteps(db, pictures, turn, model) : { messages: [], shown: [] }
  const jobs = attached ? await listJobsOfTurn(db, turn.id) : []
  const messages = carried
    ? await toModelMessages(pictures, carried.messages, jobs, describeAttached)
    : await tellConversation()
  const material = tellMaterial({ passages, memories, about_user })
  const question = messages.findLastIndex(({ role }) => role === 'user')
  if (material) messages.splice(question, 0, ...exchange([textPart(material.text)], material.received))
  messages.push(...happened.messages)
  const system = [config.system_message, carried?.instructions].filter(Boolean).join('\n\n')
  const shown = happened.shown.join(STEP_SEPARATOR)
  return { system, material_rule: material?.rule, messages, passages, shown }

  async function tellConversation(): Promise<ModelMessage[]> {
    const question = await tellMessage(pictures, asked, jobs)
    return [...alternating(await tellEarlier(db, pictures, earlier)), { role: 'user', parts: question }]
  }
}

/** What has happened in the turn so far. */
async function showSteps(db: Db, pictures: ShownPictures, { id, user_id }: StepInput['turn'], model: PromptedModel) {
  const steps = await listSteps(db, id)
  const messages: ModelMessage[] = []
  for (const step of steps.toReversed()) {
    const results: ToolResultPart[] = []
    for (const call of step.calls.toReversed()) {
      const { parts, note } = await pictures.take(user_id, parseImages(call))
      results.unshift({
        type: 'tool_result' as const,
        call_id: call.provider_call_id,
        name: call.name,
        content: [textPart([promptText(call.output ?? ''), note].filter(Boolean).join('\n')), ...parts],
        is_error: call.status !== 'done',
      })
    }
    if (results.length > 0) messages.unshift({ role: 'tool', parts: results })
    messages.unshift({ role: 'assistant', parts: partsOf(step, model) })
  }
  return { messages, shown: steps.map(({ content }) => content).filter((content) => content !== '') }
}

/** A message of a user with what is attached to it. */
async function tellMessage(pictures: ShownPictures, content: string, jobs: readonly JobsTable[]): Promise<UserPart[]> {
  const shown: ImagePart[] = []
  const notes: string[] = []
  for (const job of jobs.toReversed()) {
    const { parts, note } = await pictures.takeJob(job)
    shown.unshift(...parts)
    notes.unshift([describeAttached(job), note].filter(Boolean).join(' '))
  }
  return [textPart([content, ...notes].filter(Boolean).join('\n\n')), ...shown]
}

type TurnMessage = { role: 'user'; parts: UserPart[] } | { role: 'assistant'; content: string }

async function tellEarlier(db: Db, pictures: ShownPictures, earlier: StepInput['earlier']): Promise<TurnMessage[]> {
  const ids = earlier.filter(({ attached }) => attached).map(({ id }) => id)
  const jobs = ids.length > 0 ? await listJobsOfMessages(db, ids) : []
  const messages: TurnMessage[] = []
  for (const { id, role, content } of earlier.toReversed()) {
    const own = jobs.filter(({ user_message_id }) => user_message_id === id)
    messages.unshift(role === 'user' ? { role, parts: await tellMessage(pictures, content, own) } : { role, content })
  }
  return messages
}

const NO_REPLY = '(This message got no reply.)'

/**
 * Earlier messages with the roles in turn, as strict servers demand: user first, assistant last. A message without a
 * reply, because its turn failed or was cancelled, gets a note in its place: merged with the next message, it would
 * look unanswered and be answered late.
 */
function alternating(earlier: TurnMessage[]): ModelMessage[] {
  const messages: ModelMessage[] = []
  let question: UserPart[] | undefined
  for (const message of earlier) {
    if (message.role === 'user') {
      if (isBlank(message.parts)) continue
      if (question !== undefined) messages.push(...exchange(question, NO_REPLY))
      question = message.parts
    } else if (message.content.trim() !== '' && question !== undefined) {
      messages.push(...exchange(question, message.content))
      question = undefined
    }
    // The question of a first reply is beyond the buffer.
  }
  return question === undefined ? messages : [...messages, ...exchange(question, NO_REPLY)]
}

function isBlank(parts: UserPart[]): boolean {
  return parts.every((part) => part.type === 'text' && part.text.trim() === '')
}

function exchange(question: UserPart[], reply: string): ModelMessage[] {
  return [
    { role: 'user', parts: question },
    { role: 'assistant', parts: [textPart(reply)] },
  ]
}

type Step = Pick<Awaited<ReturnType<typeof listSteps>>[number], 'content' | 'calls' | 'parts' | 'provider' | 'model'>

/** What the model said in an earlier step. Reasoning and metadata go back to the model that gave them, and to no other. */
export function partsOf({ content, calls, parts, ...step }: Step, { provider, model }: ModelRef): AssistantPart[] {
  if (!parts || step.provider !== provider || step.model !== model)
    return [...(content === '' ? [] : [textPart(content)]), ...calls.map(toCallPart)]
  return parts.flatMap(({ metadata, ...part }): AssistantPart[] => {
    const kept = metadata && { metadata }
    if (part.type !== 'tool_call') return [{ ...part, ...kept }]
    return calls.filter(({ call_id }) => call_id === part.call_id).map((call) => ({ ...toCallPart(call), ...kept }))
  })
}

function toCallPart({ provider_call_id, name, arguments: args }: Step['calls'][number]): ToolCallPart {
  return { type: 'tool_call', id: provider_call_id, name, arguments: args }
}

export function describeAttached(job: JobsTable): string {
  const { status, error } = job
  const name = bracketedName(job.name)
  if (status === 'completed') {
    const notices = parseColumn(jobResult, job.result, job.id)?.notices ?? []
    // A picture is seen: that it has no text is nothing to tell.
    const listed = notices.filter(({ code }) => job.kind !== 'image' || code !== 'no_text')
    return `[${['Attached: ' + name + ', ' + sizeOf(job), ...listed.map((notice) => bracketedName(noticeText(notice)))].join('. ')}]`
  }
  const why = parseColumn(jobError, error, job.id)?.message ?? 'it was not read'
  return `[Attached, but it could not be read: ${name} (${bracketedName(why)})]`
}

function sizeOf({ id, kind, pages, result, media }: JobsTable): string {
  if (kind === 'document') return `${pages} ${pages === 1 ? 'page' : 'pages'}`
  if (kind === 'audio') {
    const duration_ms = parseColumn(jobResult, result, id)?.duration_ms ?? 0
    return `a recording of ${Math.round(duration_ms / 1_000)} s`
  }
  const { width, height } = readMedia({ id, media })?.metadata ?? {}
  return `a picture of ${String(width)} × ${String(height)} pixels`
}
