// What is left of a turn and its conversation when all processes of a peer are killed with -9 in the middle of the turn.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Host } from './host.ts'
import type { Peer } from './peers.ts'
import type { Survival } from './tables.ts'
import { type Reply, runTurn, say, wholeReply } from './turn.ts'

/** How long the peer may take to finish the turn, from when it answers again. */
const SURVIVE_MS = 60_000
const POLL_MS = 250
/** Two seconds, so that the kill comes in the middle. */
const KILLED: Reply = { words: 100, gap_ms: 20 }
const SHORT: Reply = { words: 3, gap_ms: 1 }
/** Lets a peer finish what it stores after the end of a response. */
const STORED_MS = 1_000
const TRIES = 3

/** Kills a running peer in the middle of a turn, starts it again, and looks. Leaves it running. */
export async function observeKill(peer: Peer, host: Host, url: string): Promise<Survival> {
  const tag = `killed-${peer.name}`
  const before = { conversation: 'kill-before', text: say(SHORT) }
  const killed = { conversation: 'kill-during', text: say(KILLED, tag) }
  const earlier = await runTurn(peer, url, peer.request(before), SHORT)
  if (earlier.error !== undefined) throw new Error(`the turn before the kill failed: ${earlier.error}`)
  await sleep(STORED_MS)

  let turnId: string | undefined
  await new Promise<void>((resolve) => {
    const cut = runTurn(peer, url, peer.request(killed), KILLED, (event) => {
      turnId ??= peer.turnId?.(event)
      if (peer.word(event)) resolve()
    })
    void cut.then(() => resolve())
  })
  await host.kill()
  await peer.start(host)

  const resumed = turnId !== undefined && peer.resume ? peer.resume(turnId) : undefined
  const reading = resumed && runTurn(peer, url, resumed, KILLED)
  const deadline = Date.now() + SURVIVE_MS
  while (!(await seen(host, tag)).answered && Date.now() < deadline) await sleep(POLL_MS)
  const { answered } = await seen(host, tag)
  const read = reading && (await Promise.race([reading, sleep(Math.max(POLL_MS, deadline - Date.now()))]))
  let turn = false
  for (let tried = 0; answered && !turn && tried < TRIES; tried += 1) {
    await sleep(STORED_MS)
    turn = await sends(peer, host, url, killed.conversation, KILLED)
  }
  return {
    turn,
    conversation: await sends(peer, host, url, before.conversation, SHORT),
    resumed: !read ? 'no' : read.error === undefined ? 'yes' : endsWhole(read.text) ? 'words twice' : 'no',
  }
}

/** Whether another turn of a conversation sends the model the reply of the one before. */
async function sends(peer: Peer, host: Host, url: string, conversation: string, reply: Reply): Promise<boolean> {
  await runTurn(peer, url, peer.request({ conversation, text: say(SHORT) }), SHORT)
  const whole = wholeReply(reply)
  return (await seen(host)).latest.some((text) => text.trim() === whole)
}

function endsWhole(text: string): boolean {
  return text.trim().endsWith(wholeReply(KILLED))
}

async function seen({ modelUrl }: Host, tag = ''): Promise<{ answered: boolean; latest: string[] }> {
  const response = await fetch(`${modelUrl}/seen?tag=${tag}`)
  return (await response.json()) as { answered: boolean; latest: string[] }
}
