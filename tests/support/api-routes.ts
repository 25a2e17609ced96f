// The routes of the API, without a server: handlers are never called.
import { createApp } from '../../api/app.ts'
import { Origins } from '../../api/origins.ts'
import type { Route } from '../../api/replies.ts'
import type { ApiContext } from '../../api/services/context.ts'

/** Any property of it is the same again, so that it stands in for every dependency that routes name. */
const nothing: object = new Proxy(() => undefined, { get: (_, name) => (name === 'then' ? undefined : nothing) })

export function apiRoutes(): Route[] {
  return createApp(nothing as ApiContext, new Origins([]), '0.0.0').routes as Route[]
}
