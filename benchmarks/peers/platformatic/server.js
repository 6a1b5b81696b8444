// node server.js DATABASE_URL PORT: Platformatic DB over the tables of the schema `public`, until it is killed.
import { create } from '@platformatic/db'

const [connectionString, port] = process.argv.slice(2)
const app = await create(import.meta.dirname, {
  server: { hostname: '127.0.0.1', port: Number(port), logger: { level: 'error' } },
  db: { connectionString, graphql: false, openapi: true },
  watch: false
})
await app.start({ listen: true })
