// What a turn of one step leaves in the history of its workflow: every event costs time on its way to the model.
import { Client } from '@temporalio/client'
import proto from '@temporalio/proto'
import { expect, it } from 'vitest'
import { workflowId } from '../../contracts/temporal.ts'
import { connectOrThrow } from '../../temporal-config/connection.ts'
import { openStage } from '../support/stage.ts'
import { keeps } from './requirements.ts'

/** The first workflow task, the model activity, the second workflow task. */
const ONE_STEP = [
  'WORKFLOW_EXECUTION_STARTED',
  'WORKFLOW_TASK_SCHEDULED',
  'WORKFLOW_TASK_STARTED',
  'WORKFLOW_TASK_COMPLETED',
  'ACTIVITY_TASK_SCHEDULED',
  'ACTIVITY_TASK_STARTED',
  'ACTIVITY_TASK_COMPLETED',
  'WORKFLOW_TASK_SCHEDULED',
  'WORKFLOW_TASK_STARTED',
  'WORKFLOW_TASK_COMPLETED',
  'WORKFLOW_EXECUTION_COMPLETED',
].map((name) => `EVENT_TYPE_${name}`)

it(keeps('turn.eleven-events', 'in role all and with a worker of its own'), async () => {
  const stage = await openStage()
  try {
    const all = await stage.start('all')
    expect(await eventsOf(all.url)).toEqual(ONE_STEP)
    await all.stop()
    await stage.start('worker')
    expect(await eventsOf((await stage.start('api')).url)).toEqual(ONE_STEP)
  } finally {
    await stage.close()
  }

  async function eventsOf(url: string): Promise<string[]> {
    const stream = await stage.chat(url, 'Good morning.', { agent: 'offline' })
    expect((await stream.untilFinal()).type).toBe('message_end')
    const { turn_id } = stream.events[0]!.data as { turn_id: string }
    const connection = await connectOrThrow(stage.temporal!, { patience_ms: 10_000 })
    try {
      const handle = new Client({ connection }).workflow.getHandle(workflowId.chatTurn(turn_id))
      expect(await handle.result()).toEqual({ status: 'completed' })
      const { events } = await handle.fetchHistory()
      return events!.map(({ eventType }) => proto.temporal.api.enums.v1.EventType[eventType!])
    } finally {
      await connection.close()
    }
  }
})
