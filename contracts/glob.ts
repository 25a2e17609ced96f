// Patterns of names, in which `*` stands for anything and `?` for any one character.

/** Whether a name is as a pattern says. */
export function fits(glob: string, name: string): boolean {
  const plain = glob.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${plain.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's').test(name)
}
