// Divides the tokens of a text that is longer than a model's input into windows, each an input of its own.

/** Ids that a model requires around each input. */
export interface Around {
  before: readonly number[]
  after: readonly number[]
}

/**
 * @param ids of the prompt and the text; the prompt is part of the first window
 * @param prompt its ids, repeated at the beginning of each further window: a window without it would be embedded as another kind of text
 * @param room ids of an input, without those around it
 */
export function toWindows(
  ids: readonly number[],
  prompt: readonly number[],
  { before, after }: Around,
  room: number,
  most: number,
): number[][] {
  // A prompt that leaves no room for half as much text is not repeated.
  const repeated = prompt.length <= room / 2 ? prompt : []
  const windows: number[][] = []
  for (let from = 0; from < ids.length && windows.length < most;) {
    const start = windows.length === 0 ? [] : repeated
    const taken = ids.slice(from, from + room - start.length)
    windows.push([...before, ...start, ...taken, ...after])
    from += taken.length
  }
  return windows
}
