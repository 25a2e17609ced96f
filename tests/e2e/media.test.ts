// Pictures and recordings: ingested, found, shown to models, refused for what they are, killed in the middle.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import exif from 'exif-reader'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isLeftOutOnDeno } from '../support/long.ts'
import { photograph, sound, spoken } from '../support/media.ts'
import { openStage, type Muxi, type Stage } from '../support/stage.ts'
import { WhisperDouble } from '../support/whisper-double.ts'
import { keeps } from './requirements.ts'

if (isLeftOutOnDeno) console.log('audio.killed of media.test.ts is skipped on Deno: it would take half a minute')

const canSpeak = spawnSync('espeak-ng', ['--version']).status === 0
if (!canSpeak) console.log('tests/e2e/media.test.ts: speech is skipped, espeak-ng is not installed')

let stage: Stage
let whisper: WhisperDouble
let muxi: Muxi

async function ingest(url: string, kind: 'image' | 'audio', name: string, bytes: Uint8Array, fields: object = {}) {
  const file_id = await stage.upload(url, name, bytes)
  const { status, body, text } = await stage.call(url, '/api/v1/jobs', { body: { kind, file_id, ...fields } })
  expect(status, text).toBe(202)
  return { file_id, id: body.id as string }
}

async function finished(url: string, id: string) {
  await (await stage.followJob(url, id)).untilFinal(110_000)
  return (await stage.call(url, `/api/v1/jobs/${id}`)).body
}

/** Ingests files, all at once. */
const finishedAll = (kind: 'image' | 'audio', files: [string, Uint8Array][]) =>
  Promise.all(
    files.map(async ([name, bytes]) => ({
      name,
      job: await finished(muxi.url, (await ingest(muxi.url, kind, name, bytes)).id),
    })),
  )

async function download(file_id: string): Promise<Buffer> {
  const headers = { authorization: `Bearer ${stage.key}` }
  const response = await fetch(`${muxi.url}/api/v1/files/${file_id}/content`, { headers })
  expect(response.status).toBe(200)
  return Buffer.from(await response.arrayBuffer())
}

interface StoredPage {
  text: string
  parts: { from_ms: number }[]
}

const pages = async (url: string, id: string) =>
  (await stage.call(url, `/api/v1/jobs/${id}/text?format=json`)).body.pages as StoredPage[]

describe('one process', () => {
  beforeAll(async () => {
    whisper = await WhisperDouble.start()
    stage = await openStage({ env: { MUXI_TRANSCRIPTION: whisper.url, MUXI_SPEECH: 'espeak-ng' } })
    muxi = await stage.start('all')
  })
  afterAll(async () => {
    stage.model.assertUsed()
    await stage.close()
    await whisper.stop()
  })

  it(
    keeps('images.ingest', 'JPEG, PNG, WebP, GIF, TIFF, AVIF, HEIC and SVG become upright pictures without metadata'),
    async () => {
      const files: [string, Uint8Array][] = [
        ...(await Promise.all(
          (['jpeg', 'png', 'webp', 'tiff', 'gif', 'avif'] as const).map(
            async (format): Promise<[string, Uint8Array]> => [`boat.${format}`, await photograph('Boat 42', format)],
          ),
        )),
        [
          'boat.svg',
          Buffer.from(
            '<svg xmlns="http://www.w3.org/2000/svg" width="1200" height="600"><rect width="9" height="9"/></svg>',
          ),
        ],
        ['boat.heic', readFileSync(new URL('../fixtures/photograph.heic', import.meta.url))],
      ]
      for (const { name, job } of await finishedAll('image', files)) {
        expect(job.status, `${name}: ${JSON.stringify(job.error)}`).toBe('completed')
        const shown = await sharp(await download(job.result.image_file_id)).metadata()
        expect(shown.exif, name).toBeUndefined()
        expect(shown.width, name).toBeGreaterThan(shown.height)
        expect(shown).toMatchObject({ width: job.metadata.width, height: job.metadata.height })
        const thumbnail = await sharp(await download(job.result.thumbnail_file_id)).metadata()
        expect(thumbnail).toMatchObject({ format: 'webp', width: 256 })
        if (/jpeg|heic/.test(name)) expect(JSON.stringify(job.metadata.exif), name).toContain('GPSLatitude')
      }
    },
  )

  it(keeps('images.ingest', "an agent's model describes a picture, and the description is found"), async () => {
    const cue = stage.model.script({ say: 'A heron stands on the jetty of Sund.' })
    const bytes = await photograph('Jetty')
    const { id } = await ingest(muxi.url, 'image', `${cue}.jpg`, bytes, { agent_id: 'scripted' })
    const job = await finished(muxi.url, id)
    expect(job.error).toBeUndefined()
    expect(job.result.description).toContain('heron')
    const found = await stage.call(muxi.url, '/api/v1/agents/scripted/knowledge/search?query=heron%20jetty')
    expect(found.body.results[0]).toMatchObject({ content: expect.stringContaining('heron') })
  })

  it(keeps('images.chat', 'the model sees the picture upright and without where it was taken'), async () => {
    const cue = stage.model.script({ say: 'A boat.' })
    const picture = await photograph('Boat 42')
    expect(exif((await sharp(picture).metadata()).exif!).GPSInfo).toBeDefined()
    const attachments = [{ type: 'image/jpeg', name: 'boat.jpg', data: picture.toString('base64') }]
    const stream = await stage.chat(muxi.url, `What is this? ${cue}`, { attachments })
    expect((await stream.untilFinal()).type).toBe('message_end')
    const [request] = stage.model.requests(cue)
    const parts = request!.messages.at(-1)!.content as { type: string; image_url?: { url: string } }[]
    const url = parts.find(({ type }) => type === 'image_url')!.image_url!.url
    const shown = await sharp(Buffer.from(url.split(',')[1]!, 'base64')).metadata()
    expect(shown.exif).toBeUndefined()
    expect(shown).toMatchObject({ format: 'jpeg', width: 1200, height: 600 })
  })

  it(keeps('images.chat', 'every page of a TIFF'), async () => {
    const cue = stage.model.script({ say: 'Three pages.' })
    const fax = join(import.meta.dirname, '../fixtures/cases/fax.tif')
    const tiff = await sharp(fax, { pages: -1 }).resize(400).tiff().toBuffer()
    const attachments = [{ type: 'image/tiff', name: 'fax.tif', data: tiff.toString('base64') }]
    const conversation_id = await stage.conversation(muxi.url)
    const stream = await stage.chat(muxi.url, `What is this? ${cue}`, { attachments, conversation_id })
    expect((await stream.untilFinal(60_000)).data).toMatchObject({ finish_reason: 'stop' })
    const parts = stage.model.requests(cue)[0]!.messages.at(-1)!.content as { type: string }[]
    expect(parts.filter(({ type }) => type === 'image_url')).toHaveLength(3)
  })

  it(
    keeps(
      'images.hostile',
      'bombs, lies, fetching and multiplying SVG, and halves of pictures: refused, the next is read',
    ),
    async () => {
      let fetched = 0
      const trap = createServer((_, response) => response.end(String((fetched += 1))))
      await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve))
      const address = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/x.png`
      const svg = (inside: string, before = '') =>
        Buffer.from(`${before}<svg xmlns="http://www.w3.org/2000/svg" width="50" height="40">${inside}</svg>`)
      const bomb = await sharp({ create: { width: 14_000, height: 14_000, channels: 3, background: '#fff' } })
        .png()
        .toBuffer()
      const laughs = '<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
      const external = `<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>`
      const whole = await photograph('Half')
      const refused: [string, string, Uint8Array][] = [
        ['too_large', 'bomb.png', bomb],
        ['unsafe', 'laughs.svg', svg('<text>&c;</text>', laughs)],
        ['unsafe', 'external.svg', svg('<text>&x;</text>', external)],
        [
          'too_large',
          'wide.svg',
          Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="90000" height="90000"/>'),
        ],
        ['not_an_image', 'text.png', Buffer.from('This is no picture.')],
        ['damaged', 'half.jpg', whole.subarray(0, whole.length / 3)],
      ]
      const ends = await finishedAll(
        'image',
        refused.map(([, name, bytes]) => [name, bytes]),
      )
      for (const [index, [reason, name]] of refused.entries())
        expect(ends[index]!.job.error, name).toMatchObject({ code: 'unprocessable', details: { reason } })
      const reaching = svg(
        `<image href="${address}" width="9" height="9"/><image href="file:///etc/hosts" width="9" height="9"/>`,
      )
      expect((await finished(muxi.url, (await ingest(muxi.url, 'image', 'reach.svg', reaching)).id)).status).toBe(
        'completed',
      )
      expect(fetched).toBe(0)
      // A PNG that calls itself a JPEG is a PNG.
      const lying = await ingest(muxi.url, 'image', 'lie.jpg', await photograph('Lie', 'png'))
      expect((await finished(muxi.url, lying.id)).metadata.type).toBe('image/png')
      await new Promise((resolve) => trap.close(resolve))
    },
  )

  it(
    keeps('audio.ingest', 'MP3, WAV, M4A, Ogg/Opus, WebM, FLAC and the sound of MP4 become text with times'),
    async () => {
      const speech = spoken(8)
      const opus = ['-c:a', 'libopus']
      const files: [string, string[]][] = [
        ['a.mp3', []],
        ['a.wav', []],
        ['a.m4a', []],
        ['a.ogg', opus],
        ['a.webm', opus],
        ['a.flac', []],
      ]
      const made = await Promise.all(
        files.map(async ([name, args]): Promise<[string, Buffer]> => [
          name,
          await sound(stage.folder, name, speech, ...args),
        ]),
      )
      const video = ['-f', 'lavfi', '-i', 'testsrc=d=8:s=64x48:r=5', '-pix_fmt', 'yuv420p', '-shortest']
      made.push(['film.mp4', await sound(stage.folder, 'film.mp4', speech, ...video)])
      for (const { name, job } of await finishedAll('audio', made)) {
        expect(job.status, `${name}: ${JSON.stringify(job.error)}`).toBe('completed')
        expect(Math.abs(job.result.duration_ms - 8_000), name).toBeLessThan(200)
        const [page] = await pages(muxi.url, job.id)
        expect(page!.text).toMatch(/^## 00:00:00–00:00:0\d\n\nA gull cried/)
        expect(page!.text, 'what was invented in silence is left out').not.toContain('Thanks for watching')
        expect(page!.parts[0]).toMatchObject({ from_ms: 0 })
      }
    },
  )

  it(keeps('audio.ingest', 'what is said in a recording is found by its time'), async () => {
    const bytes = await sound(stage.folder, 'long.mp3', spoken(150))
    const { id } = await ingest(muxi.url, 'audio', 'long.mp3', bytes, { agent_id: 'offline' })
    const job = await finished(muxi.url, id)
    expect(job.progress).toMatchObject({ unit: 'segments', done: job.progress.total })
    const found = await stage.call(muxi.url, '/api/v1/agents/offline/knowledge/search?query=gull%20cried')
    expect(found.body.results[0]).toMatchObject({ heading: expect.stringMatching(/^\d\d:\d\d:\d\d–\d\d:\d\d:\d\d$/) })
    const used = await stage.rows(
      `select kind, provider, model, key_id is null as no_key, units from model_usage where stream_id = ? order by units desc`,
      id,
    )
    expect(used).toHaveLength(job.progress.total)
    const model = { provider: 'compatible', model: 'whisper-1' }
    expect(used[0]).toMatchObject({ kind: 'transcription', ...model, no_key: 0 })
    const kept = await stage.rows(`select name from files where made_of = ?`, job.file_id)
    expect(kept, 'the prepared sound goes when its text is known').toEqual([])
  })

  it(keeps('audio.silent', 'silence has no words; a file of nothing, and one that lies, are refused'), async () => {
    const asked = whisper.asked.length
    const silent = await sound(stage.folder, 'silent.mp3', 'anullsrc=r=16000', '-t', '5')
    const job = await finished(muxi.url, (await ingest(muxi.url, 'audio', 'silent.mp3', silent)).id)
    expect(job).toMatchObject({
      status: 'completed',
      result: { sound_ms: 0, notices: [{ code: 'no_text', message: expect.stringContaining('No speech'), count: 1 }] },
    })
    const nothing = await sound(stage.folder, 'none.wav', 'anullsrc=r=16000', '-t', '0')
    for (const [reason, name, bytes] of [
      ['empty', 'none.wav', nothing],
      ['not_a_recording', 'words.mp3', Buffer.from('Only words, and many of them. '.repeat(500))],
      ['not_a_recording', 'list.m3u8', Buffer.from('#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n')],
    ] as const) {
      const refused = await finished(muxi.url, (await ingest(muxi.url, 'audio', name, bytes)).id)
      expect(refused.error, name).toMatchObject({ code: 'unprocessable', details: { reason } })
    }
    expect(whisper.asked).toHaveLength(asked)
  })

  it(keeps('audio.chat', 'and the model reads the words'), async () => {
    const data = (await sound(stage.folder, 'note.mp3', spoken(6))).toString('base64')
    const attachments = [{ type: 'audio/mpeg', name: 'note.mp3', data }]
    const conversation_id = await stage.conversation(muxi.url, { agent_id: 'offline' })
    const body = { content: 'What did the gull do?', attachments, conversation_id }
    const reply = await stage.call(muxi.url, '/api/v1/agents/offline/chat', { body })
    expect(reply.body.agent_response.content).toContain('A gull cried for')
    const more = { content: '', attachments, conversation_id }
    const silent = await stage.call(muxi.url, '/api/v1/agents/offline/chat', { body: more })
    expect(silent.body.agent_response.content).toContain('A gull cried for')
  })

  it.runIf(canSpeak)(
    keeps('audio.endpoints', 'speech becomes MP3, WAV and Opus; recordings become JSON, text and subtitles'),
    async () => {
      const headers = { authorization: `Bearer ${stage.key}` }
      const speak = (body: object) =>
        fetch(`${muxi.url}/api/v1/audio/speech`, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
      const said: Record<string, Buffer> = {}
      for (const [format, type] of Object.entries({ mp3: 'audio/mpeg', wav: 'audio/wav', opus: 'audio/ogg' })) {
        const response = await speak({
          input: 'The ferry leaves at nine.',
          format,
          voice: 'nova',
          instructions: 'calm',
        })
        expect(response.status, format).toBe(200)
        expect(response.headers.get('content-type')).toBe(type)
        said[format] = Buffer.from(await response.arrayBuffer())
      }
      const slow = await speak({ input: 'The ferry leaves at nine.', format: 'wav', speed: 0.5 })
      expect((await slow.arrayBuffer()).byteLength).toBeGreaterThan(said['wav']!.length * 1.3)
      expect((await speak({ input: '' })).status).toBe(400)
      expect((await speak({ input: 'x', format: 'midi' })).status).toBe(400)

      const transcribe = (name: string, bytes: Uint8Array, fields: Record<string, string> = {}, key = stage.key) => {
        const form = new FormData()
        for (const [field, value] of Object.entries(fields)) form.set(field, value)
        form.set('file', new Blob([bytes as Uint8Array<ArrayBuffer>]), name)
        return fetch(`${muxi.url}/api/v1/audio/transcriptions`, {
          method: 'POST',
          headers: { authorization: `Bearer ${key}` },
          body: form,
        })
      }
      const plain = await transcribe('said.mp3', said['mp3']!)
      expect(await plain.json()).toMatchObject({ text: expect.stringContaining('A gull cried') })
      const told = await transcribe('said.opus', said['opus']!, { response_format: 'verbose_json', model: 'whisper-1' })
      expect(await told.json()).toMatchObject({ language: 'en', segments: [{ id: 0, start: 0 }] })
      expect(await (await transcribe('said.wav', said['wav']!, { response_format: 'vtt' })).text()).toMatch(
        /^WEBVTT\n\n00:00:00\.000 --> 00:00:0\d/,
      )
      expect((await transcribe('a.mp3', Buffer.from('No sound.'))).status).toBe(415)
      expect((await transcribe('a.mp3', said['mp3']!, { language: 'English' })).status).toBe(400)
      const poor = await stage.call(muxi.url, '/api/v1/keys', {
        body: { name: 'poor', scopes: ['chat'], budget: { daily_tokens: 0 } },
      })
      const asked = whisper.asked.length
      const over = await transcribe('b.mp3', said['mp3']!, {}, poor.body.key)
      expect([over.status, (await over.json()).error.code]).toEqual([429, 'budget_exceeded'])
      expect(whisper.asked).toHaveLength(asked)
      const nobody = await fetch(`${muxi.url}/api/v1/audio/speech`, { method: 'POST' })
      expect(nobody.status).toBe(401)
    },
  )
})

it(keeps('audio.nobody', 'unavailable, and after the retry nothing is prepared again'), async () => {
  const double = await WhisperDouble.start()
  stage = await openStage({ env: { MUXI_TRANSCRIPTION: 'none' } })
  try {
    const first = await stage.start('all')
    const { id } = await ingest(first.url, 'audio', 'a.mp3', await sound(stage.folder, 'a.mp3', spoken(20)))
    const job = await finished(first.url, id)
    expect(job).toMatchObject({
      status: 'failed',
      error: { code: 'unavailable', details: { reason: 'no_transcriber' } },
    })
    expect(job.error.message).toContain('MUXI_TRANSCRIPTION')
    await first.stop()
    const second = await stage.start('all', { env: { MUXI_TRANSCRIPTION: double.url } })
    expect((await stage.call(second.url, `/api/v1/jobs/${id}/retry`, { method: 'POST' })).status).toBe(202)
    expect(await finished(second.url, id)).toMatchObject({ status: 'completed', result: { duration_ms: 20_000 } })
    const prepared = await stage.rows(`select output from log_entries where stream_id = ? and name = 'prepare'`, id)
    expect(prepared).toHaveLength(2)
    expect(double.asked).toHaveLength(1)
  } finally {
    await stage.close()
    await double.stop()
  }
})

it.skipIf(isLeftOutOnDeno)(
  keeps(
    'audio.killed',
    'a recording of 5 minutes: every piece that was done is asked for once, the text is that of an undisturbed run',
  ),
  async () => {
    const double = await WhisperDouble.start()
    stage = await openStage({ env: { MUXI_TRANSCRIPTION: double.url } })
    try {
      const api = await stage.start('api')
      const worker = await stage.start('worker')
      const bytes = await sound(stage.folder, 'long.mp3', spoken(300))
      const undisturbed = (await ingest(api.url, 'audio', 'long.mp3', bytes)).id
      await finished(api.url, undisturbed)
      const expected = await pages(api.url, undisturbed)
      expect(expected.length).toBeGreaterThanOrEqual(5)

      double.holdAfter(3)
      // For an agent it is another job; the same once more would be done at once.
      const { id } = await ingest(api.url, 'audio', 'long.mp3', bytes, { agent_id: 'offline' })
      const stream = await stage.followJob(api.url, id)
      await stream.waitFor(({ data }) => data.stage === 'transcribing' && data.done === 3)
      await worker.kill()
      const done = await stage.rows('select batch, parses from job_batches where job_id = ? and pages is not null', id)
      expect(done).toHaveLength(3)
      double.release()
      await stage.start('worker')
      expect((await stream.untilFinal(90_000)).type).toBe('completed')
      expect(await pages(api.url, id)).toEqual(expected)
      const after = await stage.rows('select batch, parses from job_batches where job_id = ?', id)
      for (const { batch } of done) expect(after.find((each) => each['batch'] === batch)?.['parses']).toBe(1)
      // One that was begun may have been killed before it asked.
      const begun = after.reduce((sum, { parses }) => sum + Number(parses), 0)
      expect(double.asked.length).toBeLessThanOrEqual(begun)
      expect(double.asked.length).toBeGreaterThanOrEqual(expected.length)
      expect(begun).toBeLessThanOrEqual(expected.length + 4)
    } finally {
      await stage.close()
      await double.stop()
    }
  },
)
