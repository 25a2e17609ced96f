// Glob patterns of names: `*` matches anything and `?` any one character.

/**
 * Whether a name matches a pattern; time is at most the product of their lengths, which a regular expression does not
 * guarantee.
 */
export function fits(glob: string, name: string): boolean {
  let at = 0
  let inGlob = 0
  /** The last `*`, and the end of its match. */
  let star = -1
  let end = 0
  while (at < name.length) {
    if (glob[inGlob] === '*') {
      star = inGlob
      end = at
      inGlob += 1
    } else if (glob[inGlob] === '?' || glob[inGlob] === name[at]) {
      at += 1
      inGlob += 1
    } else if (star >= 0) {
      end += 1
      at = end
      inGlob = star + 1
    } else {
      return false
    }
  }
  while (glob[inGlob] === '*') inGlob += 1
  return inGlob === glob.length
}
