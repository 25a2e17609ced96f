// An embedding model in a folder of this machine, in the whole product, on both runtimes.
import { expect, it, onTestFinished } from 'vitest'
import { openStage } from '../support/stage.ts'
import { tinyModel } from '../support/tiny-model.ts'
import { keeps } from './requirements.ts'

it(
  keeps('memory.local-model', 'finds what was said in other words, also after a restart, and not with another model'),
  async () => {
    const env = { USE_LONG_TERM_MEMORY: 'yes', MUXI_EMBEDDING_MODEL: `local-model:${tinyModel()}` }
    const stage = await openStage({ env })
    onTestFinished(() => stage.close())
    let muxi = await stage.start('all')
    const body = { content: 'The kitten rests on the rug', user_id: 'anna' }
    expect((await stage.call(muxi.url, '/api/v1/agents/offline/chat', { body })).status).toBe(200)
    const found = async (query: string) => {
      const path = `/api/v1/agents/offline/memory/search?user_id=anna&limit=1&query=${encodeURIComponent(query)}`
      const { body: answer } = await stage.call(muxi.url, path)
      return (answer.results as { content: string; similarity: number }[])[0]
    }
    await expect.poll(() => found('cat mat'), { timeout: 40_000 }).toMatchObject({ content: body.content })
    const { similarity } = (await found('cat mat'))!
    expect(similarity).toBeGreaterThan(0.7)
    expect((await found('revenue'))?.similarity ?? 0).toBeLessThan(0.3)

    expect(await muxi.stop()).toBe(0)
    muxi = await stage.start('all')
    expect(await found('cat mat')).toMatchObject({ content: body.content })
    expect(await muxi.stop()).toBe(0)
    // Its vectors are of another length of texts: they are not compared with those of before.
    const other = tinyModel({ files: { 'sentence_bert_config.json': { max_seq_length: 16 } } })
    muxi = await stage.start('all', { env: { MUXI_EMBEDDING_MODEL: `local-model:${other}` } })
    expect(await found('cat mat')).toBeUndefined()
  },
)

it('does not start with a model that cannot be loaded, and says why', async () => {
  const stage = await openStage({ env: { MUXI_EMBEDDING_MODEL: 'local-model:no-such-model' } })
  onTestFinished(() => stage.close())
  await expect(stage.start('all')).rejects.toThrow(
    /Cannot open the embedding model: 'MUXI_EMBEDDING_MODEL' must name a folder or an installed package, got 'no-such-model'/,
  )
})
