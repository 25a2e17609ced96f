// Remembers what was said in a conversation: drains the outbox that the ends of its turns fill, and ends when it is empty.
import { continueAsNew, setHandler, workflowInfo } from '@temporalio/workflow'
import type { MemoryRef } from '../contracts/memory.ts'
import { writeMemories } from './activities.ts'
import { outboxFilled } from './messages.ts'

export async function writeMemory(ref: MemoryRef): Promise<void> {
  let isFilled = true
  setHandler(outboxFilled, () => {
    isFilled = true
  })
  while (isFilled) {
    isFilled = false
    const { left } = await writeMemories.executeWithOptions({ summary: 'What was said' }, [ref])
    if (left) isFilled = true
    if (isFilled && workflowInfo().continueAsNewSuggested) await continueAsNew<typeof writeMemory>(ref)
  }
}
