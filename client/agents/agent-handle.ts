// One agent: the operations on it without its name, and its knowledge.
import type { AgentServer, KnowledgeInput, KnowledgeOptions } from './agent-input.ts'
import type { ChatOptions, ChatReply } from '../turns/chat.ts'
import { segmentOf } from '../operations.ts'
import type { Turn } from '../turns/turn.ts'
import type { AddedKnowledge } from '../types.ts'

type OfOne<R> = {
  [K in keyof R]: R[K] extends (id: string, ...rest: infer Rest) => infer Result ? (...rest: Rest) => Result : never
}

/** The methods of a resource for one agent. */
function ofOne<R extends object>(name: string, resource: R): OfOne<R> {
  const methods = Object.entries(resource).map(([key, method]) => [key, method.bind(null, name)])
  return Object.fromEntries(methods) as OfOne<R>
}

export class AgentHandle {
  readonly name: string
  readonly #muxi: AgentServer
  readonly knowledge: OfOne<AgentServer['knowledge']>
  readonly memory: OfOne<AgentServer['memory']>
  readonly mcpServers: OfOne<AgentServer['mcpServers']>

  constructor(muxi: AgentServer, name: string) {
    segmentOf('name', name)
    this.name = name
    this.#muxi = muxi
    this.knowledge = ofOne(name, muxi.knowledge)
    this.memory = ofOne(name, muxi.memory)
    this.mcpServers = ofOne(name, muxi.mcpServers)
  }

  chat(text: string, options: Omit<ChatOptions, 'agentName'> & { stream: true }): Turn
  chat(text: string, options?: Omit<ChatOptions, 'agentName'> & { stream?: false | undefined }): Promise<ChatReply>
  chat(text: string, options?: object): Turn | Promise<ChatReply> {
    return this.#muxi.chat(text, { ...options, agentName: this.name })
  }

  /** Adds a source of knowledge and waits until it can be searched. A path is read here and uploaded. */
  async addKnowledge(source: string | KnowledgeInput, options?: KnowledgeOptions): Promise<AddedKnowledge> {
    return (await import('./agent-files.ts')).addKnowledge(this.#muxi, this.name, source, options)
  }

  /** Alias of `addKnowledge`. */
  add_knowledge(source: string | KnowledgeInput, options?: KnowledgeOptions): Promise<AddedKnowledge> {
    return this.addKnowledge(source, options)
  }
}
