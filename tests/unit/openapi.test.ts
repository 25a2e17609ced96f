// The OpenAPI document: every operation says what it answers, with examples that follow their schemas.
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { openApiDocument } from '../../api/openapi.ts'
import { apiRoutes } from '../support/api-routes.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- a document of any form
const document: any = JSON.parse(JSON.stringify(openApiDocument(apiRoutes(), '1.0.0')))
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
ajv.addSchema({ $id: 'openapi', components: document.components })

const operations = Object.entries(document.paths as Record<string, object>).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
)

/** The faults of a value. */
function faultsOf(schema: object, value: unknown): unknown[] {
  const text = JSON.stringify(schema).replaceAll('"#/components/', '"openapi#/components/')
  const check = ajv.compile(JSON.parse(text) as object)
  return check(value) ? [] : [...(check.errors ?? [])]
}

interface MediaType {
  schema: object
  example?: unknown
  examples?: Record<string, { value: unknown }>
}

function mediaFaults(content: Record<string, MediaType>): unknown[] {
  return Object.entries(content).flatMap(([type, { schema, example, examples }]) => {
    const values = examples ? Object.values(examples).map(({ value }) => value) : [example]
    return values.flatMap((value) => (value === undefined ? [`${type}: no example`] : faultsOf(schema, value)))
  })
}

/** A response, which may stand in the components. */
function resolve(response: { $ref?: string; content?: Record<string, MediaType> }): typeof response {
  return response.$ref === undefined ? response : document.components.responses[response.$ref.split('/').at(-1)!]
}

describe('the OpenAPI document', () => {
  it('has operations with unique ids', () => {
    expect(document.openapi).toMatch(/^3\.1\./)
    const ids = operations.map(([, { operationId }]: readonly [string, { operationId?: string }]) => operationId)
    expect(ids.length).toBeGreaterThan(60)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it.each(operations)('%s: bodies of success and of errors, with valid examples', (_, operation) => {
    const { requestBody, responses } = operation as {
      requestBody?: { content: Record<string, MediaType> }
      responses: Record<string, object>
    }
    expect(mediaFaults(requestBody?.content ?? {})).toEqual([])
    const statuses = Object.keys(responses)
    expect(statuses.filter((status) => status < '400').length, 'statuses of success').toBeGreaterThan(0)
    expect(statuses.filter((status) => status >= '400').length, 'statuses of errors').toBeGreaterThan(0)
    const faults = Object.values(responses).flatMap((response) => mediaFaults(resolve(response).content ?? {}))
    expect(faults).toEqual([])
  })

  it('named schemas have valid examples of their own', () => {
    const named = Object.entries(document.components.schemas as Record<string, { examples?: unknown[] }>)
    const faults = named.flatMap(([name, schema]) =>
      (schema.examples ?? [`${name} has none`]).flatMap((example) => faultsOf(schema, example)),
    )
    expect(faults).toEqual([])
  })
})
