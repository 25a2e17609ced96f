// Formulas in MathML as TeX.
import { MathMLToLaTeX } from 'mathml-to-latex'

/** Its characters when it cannot be translated. */
export function mathmlToTex(math: Element): string {
  try {
    return MathMLToLaTeX.convert(math.outerHTML).trim()
  } catch {
    return math.textContent?.replaceAll(/\s+/g, ' ').trim() ?? ''
  }
}
