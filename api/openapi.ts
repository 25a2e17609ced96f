// The OpenAPI document, made from the schemas of all routes: named schemas (`$id`) stand once, and all have examples.
import { Type, type TSchema } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import { routeName } from './route-name.ts'
import { StaticFile } from './static-file.ts'
import { type ErrorCode, STATUS_OF_CODE } from '../contracts/failures.ts'
import { ERROR_EXAMPLES, ErrorSchema } from '../contracts/schemas/errors.ts'
import { ClientFrameSchema } from '../contracts/schemas/frames.ts'
import { ServerFrameSchema } from '../contracts/schemas/server-frames.ts'
import { exampleOf } from '../contracts/schemas/examples.ts'
import { OPENAI_ERROR_EXAMPLES, OpenaiErrorSchema } from '../contracts/schemas/openai-replies.ts'
import { isOpenaiPath } from './openai/errors.ts'
import { Content, errorsOf, type Route } from './replies.ts'

const OPENAPI = '3.1.1'
const CODES = Object.keys(STATUS_OF_CODE) as ErrorCode[]

type Json = Record<string, unknown>

/** The document of the routes; routes whose detail says `hide` are left out. */
export function openApiDocument(routes: readonly Route[], version: string) {
  const schemas = new Schemas()
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    if (route.hooks.detail?.hide || !METHODS.includes(route.method)) continue
    const path = routeName(route.path).replace(/(?<=.)\/$/, '')
    ;(paths[path] ??= {})[route.method.toLowerCase()] = operationOf(route, path, schemas)
  }
  // Frames of the WebSocket, which OpenAPI has no operations for.
  for (const frame of [ClientFrameSchema, ServerFrameSchema]) schemas.convert(frame)
  const responses = Object.fromEntries(
    [MUXI_ERRORS, OPENAI_ERRORS].flatMap((form) =>
      CODES.map((code): [string, Json] => [
        form.prefix + nameOfStatus(STATUS_OF_CODE[code]),
        errorResponseOf(code, form, schemas),
      ]),
    ),
  )
  return {
    openapi: OPENAPI,
    info: { title: 'muxi', version, description: 'Agents that people can leave alone' },
    security: [{ key: [] }],
    paths,
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      headers: HEADERS,
      responses,
      schemas: schemas.named,
    },
  }
}

/** The two forms of errors: below /v1 that of OpenAI. */
interface ErrorForm {
  /** Of the names of its responses. */
  prefix: string
  schema: TSchema
  examples: Record<ErrorCode, unknown>
}
const MUXI_ERRORS: ErrorForm = { prefix: '', schema: ErrorSchema, examples: ERROR_EXAMPLES }
const OPENAI_ERRORS: ErrorForm = { prefix: 'openai_', schema: OpenaiErrorSchema, examples: OPENAI_ERROR_EXAMPLES }

/** HEAD and OPTIONS follow from the others. */
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

const HEADERS = {
  'x-request-id': { description: 'The id of the request, for questions and logs', schema: { type: 'string' } },
  'retry-after': { description: 'Seconds after which to try again', schema: { type: 'string' } },
}
const headersOf = (...names: (keyof typeof HEADERS)[]) =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))

function operationOf(route: Route, path: string, schemas: Schemas): Json {
  const { hooks, method } = route
  const { detail = {}, body, replies } = hooks
  const responses: Json = {}
  for (const [status, reply] of Object.entries(replies?.bodies ?? {})) {
    const { description, types } = reply instanceof Content ? reply : new Content('', { 'application/json': reply })
    responses[status] = {
      description: description === '' ? `Status ${status}` : description,
      headers: headersOf('x-request-id'),
      ...(Object.keys(types).length > 0 && { content: contentOf(types, schemas) }),
    }
  }
  const { prefix } = isOpenaiPath(path) ? OPENAI_ERRORS : MUXI_ERRORS
  for (const code of errorsOf(route)) {
    const status = STATUS_OF_CODE[code]
    responses[status] ??= { $ref: `#/components/responses/${prefix}${nameOfStatus(status)}` }
  }
  const parameters = [
    ...parametersOf('path', hooks.params, schemas),
    ...parametersOf('query', hooks.query, schemas),
    ...parametersOf('header', hooks.headers, schemas),
    ...(detail.parameters ?? []),
  ]
  return {
    operationId: operationIdOf(method, path),
    ...(detail.tags && { tags: detail.tags }),
    ...(detail.summary !== undefined && { summary: detail.summary }),
    ...(detail.description !== undefined && { description: detail.description }),
    security: detail.security ?? [],
    ...(parameters.length > 0 && { parameters }),
    ...(detail.requestBody && { requestBody: schemas.convert(detail.requestBody) }),
    ...(body && {
      requestBody: { required: !isOptional(body), content: contentOf({ 'application/json': body }, schemas) },
    }),
    responses,
  }
}

/** Such as `get_agents_agent_id`: short, and unique as paths are. */
function operationIdOf(method: string, path: string): string {
  const words = path.replace(/^\/api\/v1/, '').split(/[^A-Za-z0-9_]+/)
  return [method.toLowerCase(), ...words.filter(Boolean)].join('_')
}

function isOptional(schema: TSchema): boolean {
  return Type.Object({ body: schema }).required === undefined
}

/** @param types schemas by media type, each of which gets its example */
function contentOf(types: Readonly<Record<string, TSchema>>, schemas: Schemas): Json {
  return Object.fromEntries(
    Object.entries(types).map(([type, schema]) => [
      type,
      { schema: schemas.convert(schema), example: exampleOf(schema) },
    ]),
  )
}

function parametersOf(place: 'path' | 'query' | 'header', object: TSchema | undefined, schemas: Schemas): Json[] {
  const { properties = {}, required = [] } = (object ?? {}) as {
    properties?: Record<string, TSchema>
    required?: string[]
  }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(schema.description !== undefined && { description: schema.description }),
    schema: schemas.convert(schema),
  }))
}

/** Statuses with several codes, such as 429, have one response. */
function nameOfStatus(status: number): string {
  return CODES.find((code) => STATUS_OF_CODE[code] === status) ?? String(status)
}

function errorResponseOf(code: ErrorCode, { schema, examples }: ErrorForm, schemas: Schemas): Json {
  const status = STATUS_OF_CODE[code]
  const codes = CODES.filter((each) => STATUS_OF_CODE[each] === status)
  return {
    description: codes.map((each) => `\`${each}\``).join(' or '),
    headers: status === 429 || status === 503 ? headersOf('x-request-id', 'retry-after') : headersOf('x-request-id'),
    content: {
      'application/json': {
        schema: schemas.convert(schema),
        examples: Object.fromEntries(codes.map((each) => [each, { value: examples[each] }])),
      },
    },
  }
}

/** Keys whose values are data. */
const DATA = ['examples', 'example', 'default', 'const', 'enum']

/** JSON Schema without the marks of TypeBox; a schema with an `$id` becomes a reference to its one definition. */
class Schemas {
  readonly named: Record<string, Json> = {}
  readonly #sources = new Map<string, string>()

  /** @throws when two schemas have one name */
  convert(schema: object): Json {
    const { $id, ...rest } = schema as { $id?: unknown }
    if (typeof $id !== 'string') return this.#plain(rest)
    const source = JSON.stringify(rest)
    const known = this.#sources.get($id)
    if (known !== undefined && known !== source) throw new Error(`Cannot describe '${$id}': two schemas have this name`)
    if (known === undefined) {
      this.#sources.set($id, source)
      const example = exampleOf(schema as TSchema)
      this.named[$id] = { ...this.#plain(rest), ...(example !== undefined && { examples: [example] }) }
    }
    return { $ref: `#/components/schemas/${$id}` }
  }

  #plain(schema: object): Json {
    const { anyOf, ...rest } = schema as { anyOf?: { const?: unknown; type?: unknown }[] }
    const constants = anyOf?.map((variant) => variant.const)
    if (constants?.every((constant) => typeof constant === 'string'))
      return { ...this.#plain(rest), type: 'string', enum: constants }
    return Object.fromEntries(
      Object.entries(schema).map(([key, value]) => [key, DATA.includes(key) ? value : this.#any(value)]),
    )
  }

  #any(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((each) => this.#any(each))
    return typeof value === 'object' && value !== null ? this.convert(value) : value
  }
}

/** `GET /openapi.json`. @param routes read with the first request: all are registered by then */
export function openApiRoutes(routes: readonly Route[], version: string) {
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-cache' }
  let made: StaticFile | undefined
  const make = () => new StaticFile(Buffer.from(JSON.stringify(openApiDocument(routes, version))), headers)
  return new Elysia({ detail: { hide: true } }).get('/openapi.json', ({ request }) => {
    made ??= make()
    return made.answer(request.headers)
  })
}
