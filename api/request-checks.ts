// Checks before a route runs: the scope of the key, then the body and the query.
import { OptionalKind, type TSchema, Type } from '@sinclair/typebox'
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
  query: TSchema | undefined
  compiled: { body?: TypeCheck<TSchema>; query?: TypeCheck<TSchema> }
}

/** Path prefixes whose routes must declare a scope. */
const WITH_SCOPE = /^\/(api\/v1|v1|mcp|metrics)(\/|$)/
/** Of a route of the API that declares none. */
const NOTHING = Type.Object({}, { additionalProperties: false })
/** By method and path; the same in every server of a process. */
const rules = new Map<string, Rule>()

/** Registers the declarations of all routes. @throws when a required scope is missing */
export function knowRoutes(routes: readonly Route[]): void {
  for (const { method, path, hooks } of routes) {
    const named = (hooks.detail?.security ?? []).flatMap(({ key = [] }) => key)
    const scopes = SCOPES.filter((scope) => named.includes(scope))
    if (scopes.length === 0 && WITH_SCOPE.test(path)) throw new Error(`Cannot serve ${method} ${path}: it has no scope`)
    const none = path.startsWith('/api/v1/') ? NOTHING : undefined
    const body = hooks.body ?? (none && Type.Optional(none))
    rules.set(nameOf(method, path), { scopes, body, query: hooks.query ?? none, compiled: {} })
  }
}

/** @throws MuxiError forbidden; Error when nothing is declared for the route, whose requests all fail then */
export function checkScope(principal: Principal, { method }: Request, route: string): void {
  const [scope, ...others] = rules.get(nameOf(method, route))?.scopes ?? []
  if (scope === undefined) throw new Error(`Cannot serve ${method} ${route}: it has no scope`)
  authorize(principal, scope, ...others)
}

/** Runs before Elysia's validation, whose error would repeat the whole body. @throws MuxiError bad_request */
export function checkBody(body: unknown, { method }: Request, route: string): void {
  const rule = rules.get(nameOf(method, route))
  if (!rule?.body || ((body === null || body === undefined) && OptionalKind in rule.body)) return
  rule.compiled.body ??= TypeCompiler.Compile(rule.body)
  if (!rule.compiled.body.Check(body)) throw invalid("the request's body", schemaFaults(rule.body, body))
}

const NUMBER = /^-?\d{1,15}(\.\d{1,30})?$/

/**
 * Makes numbers of the values that are declared as such, which arrive as text, and runs before Elysia's validation, which says of
 * a number only that it is none. @throws MuxiError bad_request
 */
export function checkQuery(query: Record<string, unknown>, { method }: Request, route: string): void {
  const rule = rules.get(nameOf(method, route))
  if (!rule?.query) return
  for (const [name, schema] of Object.entries<TSchema>(rule.query['properties'])) {
    const text = query[name]
    if (typeof text === 'string' && /^(number|integer)$/.test(schema['type']) && NUMBER.test(text))
      query[name] = Number(text)
  }
  rule.compiled.query ??= TypeCompiler.Compile(rule.query)
  if (!rule.compiled.query.Check(query)) throw invalid("the request's query", schemaFaults(rule.query, query))
}

function nameOf(method: string, path: string): string {
  return `${method} ${path.replace(/(?<=.)\/$/, '')}`
}
