// Names of environment variables in text: `${NAME}`, in agent files and in secret fields over the API.
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Replaces each `${NAME}` by the value of that variable; `$${` stands for `${`.
 * @param refuse gets the name that has no value, or undefined for what is not of the form `${NAME}`
 */
export function replaceVariables(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
  refuse: (name: string | undefined) => void,
): string {
  return text.replaceAll(/\$\$\{|\$\{([^}]*)(\}?)/g, (whole, name: string | undefined, end: string | undefined) => {
    if (name === undefined) return '${'
    const wellFormed = end === '}' && NAME.test(name)
    const replacement = wellFormed && Object.hasOwn(env, name) ? env[name] : undefined
    if (replacement !== undefined && replacement !== '') return replacement
    refuse(wellFormed ? name : undefined)
    return whole
  })
}

/** Whether the text names a variable. */
export function namesVariable(text: string): boolean {
  return text.replaceAll('$${', '').includes('${')
}
