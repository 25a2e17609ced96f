// A job, an ingestion or a re-embedding: its states, and the inputs and results of its workflow and activities.
import type { Labels } from './temporal.ts'
import type { TurnFailure } from './failures.ts'

export type JobStatus = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled'
/** Jobs that read a file. */
export type FileJobKind = 'document' | 'image' | 'audio'
export type JobKind = FileJobKind | 'reembed'
export type JobStage =
  | 'waiting'
  | 'inspecting'
  | 'preparing'
  | 'parsing'
  | 'describing'
  | 'reading'
  | 'transcribing'
  | 'indexing'
  | 'embedding'
  | 'summarizing'
  | 'publishing'
  | 'retrying'
  | 'done'

/** The workflow of each kind. */
export const JOB_WORKFLOWS = {
  document: 'ingestDocument',
  image: 'ingestImage',
  audio: 'ingestAudio',
  reembed: 'reembed',
} as const

/** `agent_id` and `conversation_id` are empty if the job has none. */
export interface JobInput extends Labels {
  job_id: string
  /** The run of the job, from 1. */
  run: number
}

/** The input of a job's workflow, from its row. @param userHash the pseudonym of its user */
export function toJobInput({ id, run, agent_id, conversation_id }: StoredJob, userHash: string): JobInput {
  return {
    job_id: id,
    run,
    agent_id: agent_id ?? '',
    conversation_id: conversation_id ?? '',
    user_hash: userHash,
  }
}

interface StoredJob {
  id: string
  run: number
  agent_id: string | null
  conversation_id: string | null
}

export type JobRef = Pick<JobInput, 'job_id' | 'run'>
export type BatchRef = JobRef & { batch: number }
/** `model`: which of those that take pictures is asked, from 0; the first in histories that do not say. */
export type DescriptionRef = JobRef & { model?: number }
/** `model`: which of the chain is asked, from 0. */
export type SummaryPartRef = JobRef & { level: number; part: number; last: boolean; model: number }

/** The result of `beginJob`, the input of the workflow's decisions. */
export type JobClaim = { claimed: false } | { claimed: true; indexed: boolean; summarize?: true }

export interface FinishJobInput extends JobRef {
  status: 'failed' | 'cancelled'
  failure?: TurnFailure
}
