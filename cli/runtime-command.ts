// The command line that runs one of our scripts on the runtime that runs this one, Node or Deno.

/** Program and arguments for `spawn`. */
export function runtimeCommand(script: string, ...args: string[]): [string, string[]] {
  const flags = 'Deno' in globalThis ? ['run', '-A', '--node-modules-dir=manual'] : []
  return [process.execPath, [...flags, script, ...args]]
}
