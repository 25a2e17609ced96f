// Names of routes as in the OpenAPI document.

/** By the path in the code; there are as many as routes. */
const names = new Map<string, string>()

/** The path of a route with `{name}` for each parameter, made once: every request is counted under it. */
export function routeName(path: string): string {
  let name = names.get(path)
  if (name === undefined) names.set(path, (name = path.replaceAll(/:(\w+)/g, '{$1}')))
  return name
}
