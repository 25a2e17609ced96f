// Serves the page, and passes its requests below /api on to muxi with the key, which the browser never gets.
import { createServer } from 'vite'

const { MUXI_URL = 'http://127.0.0.1:5050', MUXI_KEY, PORT = '5173' } = process.env
const headers: Record<string, string> = MUXI_KEY === undefined ? {} : { authorization: `Bearer ${MUXI_KEY}` }

const server = await createServer({
  root: import.meta.dirname,
  cacheDir: 'data/vite',
  server: {
    host: '127.0.0.1',
    port: Number(PORT),
    strictPort: true,
    proxy: { '/api': { target: MUXI_URL, changeOrigin: true, headers } },
  },
})
await server.listen()
console.log(`The page: http://127.0.0.1:${PORT}/`)
