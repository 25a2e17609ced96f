// The timers of workflows.
import { Client, Connection } from '@temporalio/client'
import type { Stage } from './stage.ts'

/** The timers of a turn's workflow that were started and neither fired nor were cancelled. */
export async function runningTimers(stage: Stage, turnId: string): Promise<string[]> {
  const connection = await Connection.connect({ address: stage.temporal!.address })
  try {
    const { events } = await new Client({ connection }).workflow.getHandle(`turn/${turnId}`).fetchHistory()
    const idsOf = (
      each: (event: NonNullable<typeof events>[number]) => { timerId?: string | null } | null | undefined,
    ) => (events ?? []).flatMap((event) => each(event)?.timerId ?? [])
    const started = idsOf((event) => event.timerStartedEventAttributes)
    const over = [
      ...idsOf((event) => event.timerCanceledEventAttributes),
      ...idsOf((event) => event.timerFiredEventAttributes),
    ]
    // A turn that waits has started one at least, when its call began.
    return started.length === 0 ? ['none was started'] : started.filter((id) => !over.includes(id))
  } finally {
    await connection.close()
  }
}
