// What is checked of a request before its route runs: the scope of its key, then its body. A refused key costs no more than that.
import { OptionalKind, type TSchema } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import { SCOPES, type Scope } from '../db/queries/keys.ts'
import { schemaFaults } from '../contracts/schemas/faults.ts'
import { invalid } from './errors.ts'
import { principalOf } from './plugin.ts'
import { authorize } from './services/access.ts'
import type { ApiContext } from './services/context.ts'

/** A route as Elysia lists it; `scope` has become a requirement of the OpenAPI document. */
interface Route {
  method: string
  path: string
  hooks: { body?: TSchema; detail?: { security?: { key?: string[] }[] } }
}

interface Rule {
  scope: Scope | undefined
  body: TSchema | undefined
  compiled?: TypeCheck<TSchema>
}

/** Addresses below which each route says its scope. */
const WITH_SCOPE = /^\/(api\/v1|mcp)(\/|$)/

export class RequestChecks {
  readonly #context: ApiContext
  readonly #rules = new Map<string, Rule>()

  constructor(context: ApiContext) {
    this.#context = context
  }

  /** Called once, with all routes. */
  know(routes: readonly Route[]): void {
    for (const { method, path, hooks } of routes) {
      const said = hooks.detail?.security?.[0]?.key?.[0]
      const scope = SCOPES.find((each) => each === said)
      if (scope === undefined && WITH_SCOPE.test(path))
        throw new Error(`Cannot serve ${method} ${path}: it has no scope`)
      this.#rules.set(nameOf(method, path), { scope, body: hooks.body })
    }
  }

  /** @throws MuxiError unauthorized, forbidden */
  async checkScope(request: Request, route: string): Promise<void> {
    const scope = this.#rules.get(nameOf(request.method, route))?.scope
    if (scope !== undefined) authorize(await principalOf(this.#context, request), scope)
  }

  /** Before Elysia, whose own error would repeat the whole body. @throws MuxiError bad_request */
  checkBody(request: Request, route: string, body: unknown): void {
    const rule = this.#rules.get(nameOf(request.method, route))
    if (!rule?.body || ((body === null || body === undefined) && OptionalKind in rule.body)) return
    rule.compiled ??= TypeCompiler.Compile(rule.body)
    if (!rule.compiled.Check(body)) throw invalid("the request's body", schemaFaults(rule.body, body))
  }
}

function nameOf(method: string, path: string): string {
  return `${method} ${path.replace(/(?<=.)\/$/, '')}`
}
