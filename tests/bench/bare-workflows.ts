// The bare thing that ours is measured against: a workflow of one activity.
import { proxyActivities } from '@temporalio/workflow'

const { mark } = proxyActivities<{ mark: () => Promise<number> }>({ startToCloseTimeout: '10s' })

export async function bare(): Promise<number> {
  return mark()
}
