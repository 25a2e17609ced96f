// What models cost, in US dollars per million tokens (list prices as remembered by the authors, to be checked before billing); unknown models have no price.

/** [prefix of the model's name, input, output]; the longest prefix counts. */
const PRICES: readonly (readonly [string, number, number])[] = [
  ['gpt-5', 1.25, 10],
  ['gpt-5-mini', 0.25, 2],
  ['gpt-5-nano', 0.05, 0.4],
  ['gpt-4.1', 2, 8],
  ['gpt-4.1-mini', 0.4, 1.6],
  ['gpt-4.1-nano', 0.1, 0.4],
  ['gpt-4o', 2.5, 10],
  ['gpt-4o-mini', 0.15, 0.6],
  ['o3', 2, 8],
  ['o4-mini', 1.1, 4.4],
]

/** Cost of a request, or undefined for a model without a known price. */
export function costOf(model: string, inputTokens: number, outputTokens: number): number | undefined {
  const [price] = PRICES.filter(([prefix]) => model === prefix || model.startsWith(`${prefix}-`)).sort(
    (a, b) => b[0].length - a[0].length,
  )
  return price && (inputTokens * price[1] + outputTokens * price[2]) / 1_000_000
}
