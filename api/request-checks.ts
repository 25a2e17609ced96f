// Checks before a route runs: the scope of the key, then the body.
import { OptionalKind, type TSchema } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import { schemaFaults } from '../contracts/schemas/faults.ts'
import { type Principal, SCOPES, type Scope } from '../db/queries/keys.ts'
import { invalid } from './errors.ts'
import type { Route } from './replies.ts'
import { authorize } from './services/access.ts'

interface Rule {
  /** Any of these suffices. */
  scopes: Scope[]
  body: TSchema | undefined
  compiled?: TypeCheck<TSchema>
}

/** Path prefixes whose routes must declare a scope. */
const WITH_SCOPE = /^\/(api\/v1|v1|mcp|metrics)(\/|$)/
/** By method and path; the same in every server of a process. */
const rules = new Map<string, Rule>()

/** Registers the declarations of all routes. @throws when a required scope is missing */
export function knowRoutes(routes: readonly Route[]): void {
  for (const { method, path, hooks } of routes) {
    const named = (hooks.detail?.security ?? []).flatMap(({ key = [] }) => key)
    const scopes = SCOPES.filter((scope) => named.includes(scope))
    if (scopes.length === 0 && WITH_SCOPE.test(path)) throw new Error(`Cannot serve ${method} ${path}: it has no scope`)
    rules.set(nameOf(method, path), { scopes, body: hooks.body })
  }
}

/** @throws MuxiError forbidden */
export function checkScope(principal: Principal, { method }: Request, route: string): void {
  const [scope, ...others] = rules.get(nameOf(method, route))?.scopes ?? []
  if (scope !== undefined) authorize(principal, scope, ...others)
}

/** Runs before Elysia's validation, whose error would repeat the whole body. @throws MuxiError bad_request */
export function checkBody(body: unknown, { method }: Request, route: string): void {
  const rule = rules.get(nameOf(method, route))
  if (!rule?.body || ((body === null || body === undefined) && OptionalKind in rule.body)) return
  rule.compiled ??= TypeCompiler.Compile(rule.body)
  if (!rule.compiled.Check(body)) throw invalid("the request's body", schemaFaults(rule.body, body))
}

function nameOf(method: string, path: string): string {
  return `${method} ${path.replace(/(?<=.)\/$/, '')}`
}
