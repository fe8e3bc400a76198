// The process: settings, listener, and a stop with grace.
import process from 'node:process'
import closeWithGrace from 'close-with-grace'
import { buildApp } from './app.ts'

const {
  LATCHKEY_ISSUER: issuer = 'http://127.0.0.1:3000',
  AUDIENCE: audience = 'http://127.0.0.1:8000',
  PUBLIC_URL: publicUrl = 'http://127.0.0.1:8000',
  HOST: host = '127.0.0.1',
  PORT: port = '8000',
} = process.env

const app = buildApp({ issuer, audience, publicUrl, logger: true })
closeWithGrace({ delay: 10_000, logger: app.log }, () => app.close())
await app.listen({ host, port: Number(port) })
