// Names of files within files: readable, on one line, and unique.

const LONGEST_NAME = 200

export function oneLine(name: string): string {
  // Programs of macOS write letters and their accents apart.
  return name
    .normalize('NFC')
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(-LONGEST_NAME)
    .toWellFormed()
}

/** A second `plan.pdf` becomes `plan (2).pdf`. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  const [, stem = name, extension = ''] = /^(.+?)(\.\w{1,10})?$/u.exec(name) ?? []
  let free = name
  for (let count = 2; taken.has(free); count++) free = `${stem} (${count})${extension}`
  return free
}
