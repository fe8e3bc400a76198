// `node scripts/build-programs.ts`: builds every program in another language that a suite needs, and makes
// Python's packages ready, so that `npm run test:tools` finds them in .tap/builds and .venv. Exits 0 whatever
// becomes of them: the suite that needs one builds it itself, and says why it can't.
import { buildAll } from '../test/support/programs.ts'
import { python } from '../test/support/python.ts'

await python().then(
  path => console.log(`Python's packages: ${path}`),
  (error: Error) => console.log(`Python's packages: ${error.message}`),
)
await buildAll()
