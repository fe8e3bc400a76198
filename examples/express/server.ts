// An Express resource server. Latchkey knows the users and hands out the tokens; this app only checks them.
import express, { type ErrorRequestHandler } from 'express'
import { createGuard } from 'latchkey-verifier/express'

const {
  LATCHKEY_ISSUER: issuer = 'http://127.0.0.1:3000',
  AUDIENCE: audience = 'http://127.0.0.1:8000',
  PUBLIC_URL: publicUrl = 'http://127.0.0.1:8000',
  PORT: port = '8000',
} = process.env

const { needs, bearerOf } = createGuard({ issuer, audience, publicUrl })
const app = express()
app.disable('x-powered-by')

app.get('/orders', needs('orders:read'), (request, response) => {
  response.json([{ id: 1, item: `a lamp for ${bearerOf(request).sub}` }])
})

app.post('/orders', needs('orders:write'), express.json(), (request, response) => {
  response.status(201).json(request.body)
})

// What is left is a body that can't be read, or a fault of this app.
app.use(((error, _request, response, _next) => {
  const isBody = error.expose === true
  response
    .status(isBody ? error.status : 500)
    .json({ error: isBody ? 'invalid_request' : 'server_error' })
}) satisfies ErrorRequestHandler)

app.listen(Number(port), '127.0.0.1')
