// The schema of a change of an agent: a merge patch of the configuration.
import { type Static, Type } from '@sinclair/typebox'
import { patchOf } from '../merge-patch.ts'
import { AgentIdSchema, AgentSchema } from './agent.ts'

const { id: _id, name: _name, knowledge: _knowledge, ...changeable } = AgentSchema.properties

/** PATCH /agents/{agent_id}: any part of an agent. Knowledge is added and removed source by source. */
export const AgentPatchSchema = patchOf(
  Type.Object({ ...changeable, id: AgentIdSchema, name: AgentIdSchema }, { additionalProperties: false }),
)
export type AgentPatch = Static<typeof AgentPatchSchema>
