// Latchkey's access tokens, verified offline. `createVerifier` is the whole of it; `./fastify` and
// `./express` make guards of routes from it. Keys and status lists are fetched, kept, and renewed by
// themselves.
export {
  createVerifier,
  type Bearer,
  type PresentedRequest,
  type Verifier,
  type VerifierOptions,
} from './verifier.ts'
export { Refusal } from './refusal.ts'
