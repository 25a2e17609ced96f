// The command line that runs a script of muxi on the current runtime, Node or Deno.

/** Program and arguments for `spawn`. */
export function runtimeCommand(script: string, ...args: string[]): [string, string[]] {
  const flags = 'Deno' in globalThis ? ['run', '-A', '--node-modules-dir=manual'] : []
  return [process.execPath, [...flags, script, ...args]]
}

/** The same with flags of V8, which both runtimes are built on. */
export function withV8Flags([program, args]: [string, string[]], flags: readonly string[]): [string, string[]] {
  if (!('Deno' in globalThis)) return [program, [...flags, ...args]]
  const [run = '', ...rest] = args
  return [program, [run, `--v8-flags=${flags.join(',')}`, ...rest]]
}
