// Starts a job that embeds everything again with the configured model, and tells which model serves.
import { createHash } from 'node:crypto'
import { MuxiError, wrongField } from '../../contracts/failures.ts'
import { canonicalJson } from '../../contracts/json.ts'
import type { JobRequest } from '../../contracts/schemas/jobs.ts'
import { findIdempotent, insertIdempotent } from '../../db/queries/idempotency.ts'
import { findJob } from '../../db/queries/jobs.ts'
import type { Principal } from '../../db/queries/keys.ts'
import { findReembed, insertReembed } from '../../db/queries/reembed-jobs.ts'
import type { JobsTable } from '../../db/schema.ts'
import { authorize } from './access.ts'
import type { ApiContext } from './context.ts'
import { startCreated } from './jobs.ts'

/** Embeds everything again, with the configured model. @throws MuxiError forbidden, conflict, unavailable */
export async function createReembed(
  context: ApiContext,
  principal: Principal,
  request: JobRequest,
  idempotency_key?: string,
): Promise<JobsTable> {
  authorize(principal, 'manage')
  if (principal.bound_user !== undefined)
    throw new MuxiError('forbidden', 'Cannot embed everything again: the key is bound to a user')
  const [wrong] = Object.keys(request).filter((field) => field !== 'kind')
  if (wrong !== undefined) throw wrongField('begin the job', wrong, "left out with the kind 'reembed'")
  const { key_id } = principal
  const body_hash = createHash('sha256').update(canonicalJson(request)).digest('hex')
  const known = { key_id, route: 'jobs', idempotency_key: idempotency_key ?? '', body_hash }
  const job = await context.storage.db.transaction().execute(async (tx) => {
    const made = idempotency_key === undefined ? undefined : await findIdempotent(tx, known)
    const before = made === undefined ? undefined : await findJob(tx, made)
    if (before) return before
    const inserted = await insertReembed(tx, context.index.embedders.configured.model, key_id)
    if (idempotency_key !== undefined) await insertIdempotent(tx, { ...known, result_id: inserted.id })
    return inserted
  })
  await startCreated(context, job, idempotency_key)
  return job
}

/** Which embedding model serves, and whether it is the configured one. */
export async function embeddingState({ index, storage: { db } }: ApiContext) {
  const { embedder, hasVectors } = await index.servingNow()
  const { model: configured } = index.embedders.configured
  const job = await findReembed(db)
  return {
    model: embedder.model,
    dimension: embedder.dimension,
    configured,
    state: stateOf(hasVectors, embedder.model === configured),
    ...(job && { job_id: job.id }),
  }
}

function stateOf(hasVectors: boolean, isConfigured: boolean): 'current' | 'outdated' | 'words_only' {
  if (!hasVectors) return 'words_only'
  return isConfigured ? 'current' : 'outdated'
}
