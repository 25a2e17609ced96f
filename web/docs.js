// The HTTP API for people: what stands in /openapi.json, without anything from elsewhere.
import { $, make, pretty } from './dom.js'

const METHODS = ['get', 'post', 'patch', 'put', 'delete']

const block = (text) => make('pre', { tabIndex: 0 }, text)

/** A response of the document, which may stand among its components. */
const resolve = (response, components) =>
  response.$ref ? components.responses[response.$ref.split('/').at(-1)] : response

/** The examples of a media type. */
const examplesOf = ({ example, examples }) =>
  examples ? Object.values(examples).map(({ value }) => value) : example === undefined ? [] : [example]

/** An event as it stands in a stream; anything else as JSON or text. */
const shown = (type, example) =>
  type === 'text/event-stream'
    ? `${example.id ? `id: ${example.id}\n` : ''}event: ${example.event}\ndata: ${example.data}`
    : pretty(example)

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`

/** A command that makes the call, with the examples of its parameters. */
function commandOf(method, path, { parameters = [], requestBody, security = [] }) {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) =>
    encodeURIComponent(parameters.find((each) => each.name === name)?.schema?.examples?.[0] ?? name),
  )
  const query = parameters
    .filter((each) => each.in === 'query' && each.required)
    .map(({ name, schema }) => `${name}=${encodeURIComponent(schema?.examples?.[0] ?? '')}`)
  const url = `${location.origin}${filled}${query.length > 0 ? `?${query.join('&')}` : ''}`
  const [[type, body] = []] = Object.entries(requestBody?.content ?? {})
  const parts = ['curl', ...(method === 'get' ? [] : ['-X', method.toUpperCase()]), quoted(url)]
  if (security.length > 0) parts.push('-H', '"Authorization: Bearer $MUXI_API_KEY"')
  if (type === 'multipart/form-data') parts.push('-F', 'file=@tea.txt')
  else if (body) parts.push('-H', quoted(`Content-Type: ${type}`), '-d', quoted(JSON.stringify(examplesOf(body)[0])))
  return parts.join(' ')
}

/** Each status with its examples. */
function answersOf({ responses }, components) {
  return Object.entries(responses).map(([status, response]) => {
    const { description, content = {} } = resolve(response, components)
    const examples = Object.entries(content).flatMap(([type, media]) => [
      make('p', {}, make('code', {}, type)),
      ...examplesOf(media).map((example) => block(shown(type, example))),
    ])
    return make('details', {}, make('summary', {}, make('code', {}, status), ` ${description}`), ...examples)
  })
}

/** What a call takes and answers. */
/** @param {any} operation */
function describe(method, path, operation, components) {
  const { parameters = [], requestBody } = operation
  const rows = parameters.map(({ name, in: place, required, schema, description }) =>
    make(
      'tr',
      {},
      make('td', {}, make('code', {}, name)),
      make('td', {}, place),
      make('td', {}, required ? 'required' : ''),
      make('td', {}, description ?? schema?.description ?? schema?.pattern ?? schema?.type ?? ''),
    ),
  )
  const bodies = Object.entries(requestBody?.content ?? {}).flatMap(([type, media]) => [
    make('p', {}, 'Body, ', make('code', {}, type), ':'),
    ...examplesOf(media).map((example) => block(pretty(example))),
  ])
  return [
    ...(rows.length > 0 ? [make('table', {}, make('tbody', {}, ...rows))] : []),
    ...bodies,
    make('p', {}, 'As a command:'),
    block(commandOf(method, path, operation)),
    make('p', {}, 'Answers:'),
    ...answersOf(operation, components),
  ]
}

function operationOf(method, path, operation, components) {
  const title = make('summary', {}, make('code', {}, `${method.toUpperCase()} ${path}`), ` ${operation.summary ?? ''}`)
  return make('details', { className: 'tool' }, title, ...describe(method, path, operation, components))
}

async function show() {
  const response = await fetch('/openapi.json')
  if (!response.ok) throw new Error(`The server answered with status ${response.status}`)
  const { info, paths, components } = await response.json()
  const groups = new Map()
  for (const [path, operations] of Object.entries(paths)) {
    for (const method of METHODS.filter((each) => operations[each])) {
      const tag = operations[method].tags?.[0] ?? 'system'
      groups.set(tag, [...(groups.get(tag) ?? []), operationOf(method, path, operations[method], components)])
    }
  }
  $('about').textContent =
    `${info.description}. Version ${info.version}. Each call needs a key: “Authorization: Bearer sk_muxi_…”.`
  $('operations').append(
    ...[...groups].map(([tag, calls]) => make('section', { ariaLabel: tag }, make('h2', {}, tag), ...calls)),
  )
}

show().catch(({ message }) => ($('about').textContent = `The API cannot be shown: ${message}`))
