// Tables with ruled lines on a page of a PDF: cells are the smallest rectangles whose four sides are drawn.

export interface Line {
  x1: number
  y1: number
  x2: number
  y2: number
}

export interface Box {
  left: number
  top: number
  right: number
  bottom: number
}

/** Cells that touch each other. */
export interface Grid extends Box {
  cells: Box[]
}

/** Lines so close to each other, in points, are one; so are ends that nearly meet. */
const NEAR = 3
/** Shortest line that is a side of a cell. */
const SHORTEST = 4
/** Most lines of a page that is looked at: drawings and maps have more. */
const MOST_LINES = 4_000
const MOST_CORNERS = 6_000

/** A line across or down: its place, and from where to where it goes. */
interface Rule {
  at: number
  from: number
  to: number
}

/** The grids of a page, each with two cells or more. */
export function gridsOf(lines: readonly Line[]): Grid[] {
  if (lines.length > MOST_LINES) return []
  const isAcross = ({ x1, y1, x2, y2 }: Line) => Math.abs(y1 - y2) <= 1 && Math.abs(x1 - x2) >= SHORTEST
  const isDown = ({ x1, y1, x2, y2 }: Line) => Math.abs(x1 - x2) <= 1 && Math.abs(y1 - y2) >= SHORTEST
  const rule = (at: number, a: number, b: number): Rule => ({ at, from: Math.min(a, b), to: Math.max(a, b) })
  const across = joined(lines.filter(isAcross).map(({ x1, y1, x2, y2 }) => rule((y1 + y2) / 2, x1, x2)))
  const down = joined(lines.filter(isDown).map(({ x1, y1, x2, y2 }) => rule((x1 + x2) / 2, y1, y2)))
  return groupsOf(cellsOf(across, joined([...down, ...openSides(across, down)])))
}

/** Lines at one place, joined where they meet. */
function joined(rules: readonly Rule[]): Rule[] {
  const placed: Rule[][] = []
  for (const rule of rules.toSorted((a, b) => a.at - b.at)) {
    const same = placed.at(-1)
    if (same && rule.at - same.at(-1)!.at <= NEAR) same.push(rule)
    else placed.push([rule])
  }
  return placed.flatMap((same) => {
    const at = same.reduce((sum, rule) => sum + rule.at, 0) / same.length
    const whole: Rule[] = []
    for (const { from, to } of same.toSorted((a, b) => a.from - b.from)) {
      const before = whole.at(-1)
      if (before && from - before.to <= NEAR) before.to = Math.max(before.to, to)
      else whole.push({ at, from, to })
    }
    return whole
  })
}

/** The left and right sides of tables that are open there: three lines across or more, as long as each other, with lines down between. */
function openSides(across: readonly Rule[], down: readonly Rule[]): Rule[] {
  const alike = new Map<string, Rule[]>()
  for (const rule of across) {
    const known = [...alike.values()].find(
      ([first]) => Math.abs(first!.from - rule.from) <= NEAR && Math.abs(first!.to - rule.to) <= NEAR,
    )
    if (known) known.push(rule)
    else alike.set(`${rule.at} ${rule.from}`, [rule])
  }
  return [...alike.values()].flatMap((rules) => {
    if (rules.length < 3) return []
    const { from, to } = rules[0]!
    return rules.slice(1).flatMap(({ at: bottom }, index): Rule[] => {
      const top = rules[index]!.at
      const isDivided = down.some(
        (rule) => rule.at > from + NEAR && rule.at < to - NEAR && rule.from <= top + NEAR && rule.to >= bottom - NEAR,
      )
      return isDivided ? [from, to].map((at) => ({ at, from: top, to: bottom })) : []
    })
  })
}

function cellsOf(across: readonly Rule[], down: readonly Rule[]): Box[] {
  // Both are in order of their places.
  const downFrom = new Map(across.map((top) => [top, down.filter((rule) => meet(top, rule))]))
  const acrossFrom = new Map(down.map((left) => [left, across.filter((rule) => meet(rule, left))]))
  if (across.reduce((sum, rule) => sum + downFrom.get(rule)!.length, 0) > MOST_CORNERS) return []
  return across.flatMap((top) =>
    downFrom.get(top)!.flatMap((left) => {
      const rights = downFrom.get(top)!.filter(({ at }) => at > left.at + SHORTEST)
      for (const bottom of acrossFrom.get(left)!) {
        if (bottom.at <= top.at + SHORTEST) continue
        const right = rights.find((rule) => meet(bottom, rule))
        if (right) return [{ left: left.at, top: top.at, right: right.at, bottom: bottom.at }]
      }
      return []
    }),
  )
}

function meet(across: Rule, down: Rule): boolean {
  const isAt = (at: number, { from, to }: Rule) => at >= from - NEAR && at <= to + NEAR
  return isAt(down.at, across) && isAt(across.at, down)
}

/** Cells with common corners are one grid. */
function groupsOf(cells: readonly Box[]): Grid[] {
  const left = new Set(cells)
  const atCorner = new Map<string, Box[]>()
  for (const cell of cells)
    for (const corner of cornersOf(cell)) atCorner.set(corner, [...(atCorner.get(corner) ?? []), cell])
  const grids: Grid[] = []
  for (const first of cells) {
    if (!left.delete(first)) continue
    const group = [first]
    // Grows while it is read.
    for (const cell of group)
      for (const corner of cornersOf(cell))
        for (const next of atCorner.get(corner)!) if (left.delete(next)) group.push(next)
    if (group.length > 1) grids.push({ ...around(group), cells: group })
  }
  return grids
}

function cornersOf({ left, top, right, bottom }: Box): string[] {
  return [`${left} ${top}`, `${right} ${top}`, `${left} ${bottom}`, `${right} ${bottom}`]
}

/** The box around several. */
export function around(boxes: readonly Box[]): Box {
  return {
    left: Math.min(...boxes.map(({ left }) => left)),
    top: Math.min(...boxes.map(({ top }) => top)),
    right: Math.max(...boxes.map(({ right }) => right)),
    bottom: Math.max(...boxes.map(({ bottom }) => bottom)),
  }
}
