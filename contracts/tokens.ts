// Tokens of a text, where no vendor has counted them.

/** Estimated: models divide English into pieces of about four characters, other scripts into shorter ones. */
export function estimateTokens(text: string): number {
  let others = 0
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 0x2ff) others += 1
  return Math.ceil((text.length - others) / 4 + others / 1.3)
}
