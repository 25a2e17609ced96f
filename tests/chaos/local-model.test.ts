// A real embedding model of a public package on both runtimes.
import { tmpdir } from 'node:os'
import { expect, it } from 'vitest'
import { type Runtime, startChild } from '../support/children.ts'
import { publicModel } from '../support/public-model.ts'

const TEXTS = ['the cat sat on a mat', 'a kitten rests on a rug', 'quarterly revenue grew']

interface Said {
  model: string
  vectors: number[][]
}

async function embedded(runtime: Runtime): Promise<Said> {
  const args = [await publicModel(), ...TEXTS]
  const child = startChild({ script: 'tests/support/embed-texts.ts', args, cwd: tmpdir(), runtime })
  const [, said] = await child.says(/^vectors (.+)$/m)
  // The thread of the model does not keep the process.
  expect(await child.ended).toBe(0)
  return JSON.parse(said!) as Said
}

const cosine = (a: number[], b: number[]) => a.reduce((sum, value, index) => sum + value * b[index]!, 0)

it('finds the same meaning in other words, with the same vectors on Node and Deno', async () => {
  const node = await embedded('node')
  const [cat, kitten, revenue] = node.vectors
  expect(cosine(cat!, kitten!)).toBeGreaterThan(0.5)
  expect(cosine(cat!, revenue!)).toBeLessThan(0.1)
  const deno = await embedded('deno')
  expect(deno.model).toBe(node.model)
  for (const [index, vector] of deno.vectors.entries())
    expect(cosine(vector, node.vectors[index]!)).toBeGreaterThan(0.999999)
})
