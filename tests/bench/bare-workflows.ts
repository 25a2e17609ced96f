// The bare things that ours are measured against: a workflow of one activity, alone and as a child.
import { executeChild, proxyActivities } from '@temporalio/workflow'

const { mark } = proxyActivities<{ mark: () => Promise<number> }>({ startToCloseTimeout: '10s' })

export async function bare(): Promise<number> {
  return mark()
}

export async function parent(): Promise<void> {
  await executeChild(bare)
}
