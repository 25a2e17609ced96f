// There is no Docker engine where this was written, so that is as far as a check can go here.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { serverArguments } from '../../temporal-config/server-arguments.ts'

const ROOT = new URL('../../', import.meta.url)
const read = (file: string) => readFileSync(new URL(file, ROOT), 'utf8')
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<
    string,
    {
      image: string
      depends_on?: Record<string, unknown>
      healthcheck?: unknown
      environment?: object
      volumes?: string[]
    }
  >
  volumes: Record<string, unknown>
}

it('docker-compose.yml starts only services that it defines, after those that they need are healthy', () => {
  for (const { depends_on = {} } of Object.values(compose.services)) {
    for (const needed of Object.keys(depends_on)) expect(compose.services[needed]).toHaveProperty('healthcheck')
  }
})

it('docker-compose.yml starts no service and makes no volume that nothing uses', () => {
  const needed = Object.values(compose.services).flatMap(({ depends_on = {} }) => Object.keys(depends_on))
  const mounted = Object.values(compose.services).flatMap(({ volumes = [] }) =>
    volumes.map((each) => each.split(':')[0]),
  )
  const ours = ['api', 'worker', 'temporal-ui']
  expect(Object.keys(compose.services).filter((name) => !ours.includes(name) && !needed.includes(name))).toEqual([])
  expect(Object.keys(compose.volumes).filter((name) => !mounted.includes(name))).toEqual([])
  // Stores that muxi has no client for.
  expect(Object.values(compose.services).filter(({ image }) => /redis|valkey|qdrant|milvus/.test(image))).toEqual([])
})

it('docker-compose.yml gives API and worker the same secret key, database and blobs', () => {
  const { api, worker } = compose.services
  expect(api?.image).toBe(worker?.image)
  expect({ ...worker?.environment, MUXI_ROLE: '' }).toEqual({ ...api?.environment, MUXI_ROLE: '' })
})

it('the image has every folder with code that is not for development', () => {
  const development = ['docs', 'examples', 'node_modules', 'publish', 'tests']
  const folders = readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && !development.includes(entry.name))
    .map(({ name }) => name)
    .filter((name) =>
      readdirSync(new URL(`${name}/`, ROOT), { recursive: true }).some((file) => /\.(ts|js)$/.test(String(file))),
    )
  const taken = read('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
  expect(folders).toContain('composition')
  expect(folders.filter((name) => !taken.includes(`!${name}`))).toEqual([])
})

it('the image holds no secret: all of them come from the environment at run time', () => {
  expect(read('Dockerfile')).not.toMatch(/^(ENV|ARG).*(KEY|PASSWORD|SECRET|TOKEN)/m)
  expect(read('.dockerignore').split('\n')[0]).toBe('*')
  const secrets = Object.values(compose.services)
    .flatMap(({ environment = {} }) => Object.entries(environment))
    .filter(([name]) => /KEY|PASSWORD|PWD/.test(name))
  expect(secrets.length).toBeGreaterThan(0)
  for (const [name, value] of secrets) expect(value, name).toMatch(/^\$\{/)
})

it('a server of your own gets the dynamic configuration of the dev server, but for what is for one node only', () => {
  const args = serverArguments({ dbFile: '/x', port: 1, uiPort: 2, codecEndpoint: 'http://x/codec' })
  const names = args.filter((_, i) => args[i - 1] === '--dynamic-config-value').map((value) => value.split('=')[0])
  const file = Object.keys(parse(read('temporal-config/dynamic-config.yaml')) as object)
  expect(file).toEqual(names.filter((name) => name !== 'history.timerProcessorMaxTimeShift'))
})
