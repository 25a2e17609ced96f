// The command line that runs a script of muxi on the current runtime, Node or Deno.

/** Program and arguments for `spawn`. */
export function runtimeCommand(script: string, ...args: string[]): [string, string[]] {
  const flags = 'Deno' in globalThis ? ['run', '-A', '--node-modules-dir=manual'] : []
  return [process.execPath, [...flags, script, ...args]]
}
